import { computeCount, computeValue, type SimulatedText } from './simulated-values.ts';

/** A process of the simulated device; `share` is what it uses of a core. */
interface SimulatedProcess {
  readonly pid: number;
  readonly command: string;
  readonly threads: number;
  readonly files: number;
  readonly residentKb: number;
  readonly share: number;
}

const PROCESSES: readonly SimulatedProcess[] = [
  { pid: 1, command: '/sbin/init', threads: 1, files: 60, residentKb: 11_200, share: 0.001 },
  { pid: 412, command: '/usr/sbin/sshd', threads: 1, files: 5, residentKb: 6_900, share: 0.0005 },
  { pid: 587, command: '/usr/bin/encoder', threads: 9, files: 31, residentKb: 84_600, share: 0.2 },
];

/** Creates the files of some processes below /proc, by the path of each. */
export function createProcessTexts(): Map<string, SimulatedText> {
  return new Map(PROCESSES.flatMap((process) => createTexts(process)));
}

function createTexts({ pid, command, threads, files, residentKb, share }: SimulatedProcess): [string, SimulatedText][] {
  const comm = command.slice(command.lastIndexOf('/') + 1);
  const load = { swing: 0.6, periodS: 90, phase: pid };
  const descriptors = Array.from({ length: files }, (_, index): [string, SimulatedText] => [
    `${pid}/fd/${index}`,
    () => '',
  ]);
  return [
    [`${pid}/cmdline`, () => `${command}\0`],
    [
      `${pid}/stat`,
      (uptimeS) => {
        // In ticks of a hundredth of a second; three quarters are of the program, the rest of the kernel for it.
        const ticks = computeCount(uptimeS, { ...load, mean: 100 * share });
        const kernelTicks = Math.floor(ticks / 4);
        return `${pid} (${comm}) S 1 ${pid} ${pid} 0 -1 4194560 0 0 0 0 ${ticks - kernelTicks} ${kernelTicks} 0 0 20 0 ${threads} 0 ${pid} 0 0\n`;
      },
    ],
    [
      `${pid}/status`,
      (uptimeS) =>
        `Name:\t${comm}\nVmRSS:\t${String(Math.round(computeValue(uptimeS, { ...load, mean: residentKb, swing: 0.05 }))).padStart(8)} kB\nThreads:\t${threads}\n`,
    ],
    ...descriptors,
  ];
}
