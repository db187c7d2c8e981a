import { TextKernel } from './text-kernel.ts';

/** A process of a kernel in a test. */
export interface ProcessOfTest {
  readonly pid: number;
  readonly comm?: string;
  readonly state?: string;
  readonly ticks?: number;
  readonly threads?: number;
  readonly start?: number;
  readonly residentKb?: number;
  readonly command?: string;
  readonly files?: number;
}

/** The files of a process, which is a sleeping `encoder` unless told otherwise. */
export function createProcessFiles(process: ProcessOfTest): Record<string, string> {
  const { pid, comm = 'encoder', state = 'S', ticks = 0, threads = 1, start = pid, files = 1 } = process;
  return {
    [`proc/${pid}/stat`]: `${pid} (${comm}) ${state} 1 1 1 0 -1 4194560 0 0 0 0 ${ticks} 0 9 9 20 0 ${threads} 0 ${start} 0 0\n`,
    [`proc/${pid}/status`]: `Name:\t${comm.replaceAll('\n', '\\n')}\nVmRSS:\t${process.residentKb ?? 100} kB\nThreads:\t1\n`,
    [`proc/${pid}/cmdline`]: `${process.command ?? `/usr/bin/${comm}`}\0`,
    ...Object.fromEntries(Array.from({ length: files }, (_, index) => [`proc/${pid}/fd/${index}`, ''])),
  };
}

const INIT: ProcessOfTest = { pid: 1, comm: 'systemd', command: '/sbin/init', start: 1 };

/** Replaces all files of the kernel by those of the first process and of some more. */
export function runProcesses(kernel: TextKernel, ...processes: readonly ProcessOfTest[]): void {
  const files = [INIT, ...processes].flatMap((process) => Object.entries(createProcessFiles(process)));
  kernel.files.clear();
  for (const [path, text] of [['proc/loadavg', '0.10 0.20 0.30 1/80 4242\n'] as const, ...files])
    kernel.files.set(path, text);
}

/** Creates a kernel with the first process and some more. */
export function createProcessKernel(...processes: readonly ProcessOfTest[]): TextKernel {
  const kernel = new TextKernel();
  runProcesses(kernel, ...processes);
  return kernel;
}
