import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CounterIncreases, type Counters } from './parsing/counter-increases.ts';
import { CpuFrequency, FREQUENCY_SERIES } from './readers/cpu-frequency.ts';
import {
  parseDecimals,
  EqualFieldCounts,
  splitFields,
  splitLines,
  createLineError,
  quote,
} from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { Throttling, THROTTLING_SERIES } from './readers/throttling.ts';

const usagePercent = declareSeries({
  name: 'cpu.usage_percent',
  kind: 'gauge',
  unit: 'percent',
  help: 'Share of the time since the last scrape that was not idle; waiting for I/O is idle time.',
});
const modePercent = declareSeries({
  name: 'cpu.mode_percent',
  kind: 'gauge',
  unit: 'percent',
  help: 'Share of the time of all cores since the last scrape, by mode; guests are counted in user and nice.',
});

export const CPU_SERIES: readonly SeriesDeclaration[] = [
  usagePercent,
  modePercent,
  ...FREQUENCY_SERIES,
  ...THROTTLING_SERIES,
];

const PATH = '/proc/stat';
/**
 * Modes in the order of the file (Documentation/filesystems/proc.rst, 1.7). The next two fields, guest and guest_nice,
 * are already counted in user and nice (account_guest_time in kernel/sched/cputime.c adds to both): counting them again
 * would report a host of virtual machines as busier than it is.
 */
const BUSY_MODES = ['user', 'nice', 'system', 'irq', 'softirq', 'steal'] as const;
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
type CpuMode = (typeof MODES)[number];

/**
 * Parses /proc/stat: returns the time of each core, and of all cores as `all`, by mode, in ticks of USER_HZ. Only ratios
 * are used.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseStat(text: string): Map<string, Counters<CpuMode>> {
  const times = new Map<string, Counters<CpuMode>>();
  const width = new EqualFieldCounts();
  for (const line of splitLines(PATH, text)) {
    if (!line.text.startsWith('cpu')) continue;
    const [label = '', ...fields] = splitFields(line.text);
    if (!/^cpu(0|[1-9][0-9]{0,5})?$/.test(label)) throw createLineError(line, `${quote(label)} is not a core`);
    const core = label === 'cpu' ? 'all' : label.slice('cpu'.length);
    if (times.has(core)) throw createLineError(line, `a second line of ${label}`);
    const ticks = parseDecimals(line, fields, MODES.length);
    width.check(line, ticks);
    times.set(core, Object.fromEntries(MODES.map((mode, index) => [mode, ticks[index]])) as Counters<CpuMode>);
  }
  if (!times.has('all')) throw createMalformedError(PATH, 'no line "cpu" for all cores');
  return times;
}

/**
 * Collects the usage of each core and of all cores, from the second scrape of the core on; the frequencies of the cores;
 * and how they are throttled.
 */
export class CpuCollector implements Collector {
  readonly name = 'cpu';
  readonly comparesReads = true;
  readonly #kernel: KernelSource;
  readonly #frequency: CpuFrequency;
  readonly #throttling: Throttling;
  /** The only mode that may decrease "in certain conditions" is iowait (proc.rst, 1.7). */
  readonly #increases = new CounterIncreases<CpuMode>(['iowait']);
  /** The cores that are online, as the kernel lists them; others have no line. */
  #cores = '';

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#frequency = new CpuFrequency(kernel);
    this.#throttling = new Throttling(kernel);
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([() => this.#readUsage(), () => this.#frequency.read(), () => this.#throttling.read(this.#cores)]);
  }

  async #readUsage(): Promise<readonly Reading[]> {
    const times = parseStat(await this.#kernel.proc('stat'));
    this.#cores = [...times.keys()].join();
    const increases = this.#increases.update(times);
    return [...increases].flatMap(([core, ticks]) => toReadings(core, ticks));
  }
}

function toReadings(core: string, ticks: Counters<CpuMode>): Reading[] {
  const busy = sumTicks(BUSY_MODES, ticks);
  const total = busy + ticks.idle + ticks.iowait;
  if (total === 0) return []; // Two scrapes within one tick, 10 ms on most kernels.
  const usage = { series: usagePercent, labels: { core }, value: 100 * (busy / total) };
  if (core !== 'all') return [usage];
  const share = (mode: CpuMode) => ({ series: modePercent, labels: { mode }, value: 100 * (ticks[mode] / total) });
  return [usage, ...MODES.map(share)];
}

function sumTicks(modes: readonly CpuMode[], ticks: Counters<CpuMode>): number {
  return modes.reduce((total, mode) => total + ticks[mode], 0);
}
