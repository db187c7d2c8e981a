export function pssMB(pid: number): number;
export function anonymousMB(pid: number): number;
export function cpuSeconds(pid: number): number;
export function diskBytesWritten(pid: number): number;
