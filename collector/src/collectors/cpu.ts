import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { malformed, type KernelSource } from '../kernel/kernel-files.ts';
import { CounterIncreases, type Counters } from './parsing/counter-increases.ts';
import { CpuFrequency } from './readers/cpu-frequency.ts';
import { decimalsOf, EqualWidth, fieldsOf, linesOf, malformedLine, quoted } from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { Throttling } from './readers/throttling.ts';

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
  help: 'Share of the time of all cores since the last scrape, by mode; guests are in user and nice.',
});

const PATH = '/proc/stat';
/**
 * In the order of the file (Documentation/filesystems/proc.rst, 1.7). The two fields that follow, guest and guest_nice,
 * are already in user and nice (account_guest_time in kernel/sched/cputime.c adds to both): counting them again would
 * make a host of virtual machines look busier than it is.
 */
const BUSY_MODES = ['user', 'nice', 'system', 'irq', 'softirq', 'steal'] as const;
const MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
type Mode = (typeof MODES)[number];

/**
 * The times of each core, and of all of them as `all`, in ticks of USER_HZ; only their ratios are used.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseStat(text: string): Map<string, Counters<Mode>> {
  const times = new Map<string, Counters<Mode>>();
  const width = new EqualWidth();
  for (const line of linesOf(PATH, text)) {
    if (!line.text.startsWith('cpu')) continue;
    const [label = '', ...fields] = fieldsOf(line.text);
    if (!/^cpu(0|[1-9][0-9]{0,5})?$/.test(label)) throw malformedLine(line, `${quoted(label)} is not a core`);
    const core = label === 'cpu' ? 'all' : label.slice('cpu'.length);
    if (times.has(core)) throw malformedLine(line, `a second line of ${label}`);
    const ticks = decimalsOf(line, fields, MODES.length);
    width.check(line, ticks);
    times.set(core, Object.fromEntries(MODES.map((mode, index) => [mode, ticks[index]])) as Counters<Mode>);
  }
  if (!times.has('all')) throw malformed(PATH, 'no line of all cores ("cpu")');
  return times;
}

/**
 * Usage of each core and of all, from the second scrape on (a core that was just switched on waits for its second);
 * the clocks of the cores; and how they are held back.
 */
export class CpuCollector implements Collector {
  readonly name = 'cpu';
  readonly comparesReads = true;
  readonly #kernel: KernelSource;
  readonly #frequency: CpuFrequency;
  readonly #throttling: Throttling;
  /** The kernel says of iowait that it decreases in certain conditions (proc.rst, 1.7); of no other mode. */
  readonly #increases = new CounterIncreases<Mode>(['iowait']);
  /** Those that are switched on, as the kernel lists them; others have no line. */
  #cores = '';

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#frequency = new CpuFrequency(kernel);
    this.#throttling = new Throttling(kernel);
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([() => this.#usage(), () => this.#frequency.read(), () => this.#throttling.read(this.#cores)]);
  }

  async #usage(): Promise<readonly Reading[]> {
    const times = parseStat(await this.#kernel.proc('stat'));
    this.#cores = [...times.keys()].join();
    const increases = this.#increases.upTo(times);
    return [...increases].flatMap(([core, ticks]) => readingsOf(core, ticks));
  }
}

function readingsOf(core: string, ticks: Counters<Mode>): Reading[] {
  const busy = sum(BUSY_MODES, ticks);
  const total = busy + ticks.idle + ticks.iowait;
  if (total === 0) return []; // Two scrapes within one tick (10 ms on most kernels): no time passed that has a share.
  const usage = { series: usagePercent, labels: { core }, value: 100 * (busy / total) };
  if (core !== 'all') return [usage];
  const share = (mode: Mode) => ({ series: modePercent, labels: { mode }, value: 100 * (ticks[mode] / total) });
  return [usage, ...MODES.map(share)];
}

function sum(modes: readonly Mode[], ticks: Counters<Mode>): number {
  return modes.reduce((total, mode) => total + ticks[mode], 0);
}
