import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CpuFrequency, FREQUENCY_SERIES } from './readers/cpu-frequency.ts';
import { CPU_MODES, CpuTimeIncreases, parseStat, type CpuMode, type CpuTicks } from './readers/cpu-times.ts';
import { readEach, requireNoErrors } from './readers/partial-result.ts';
import { Throttling, THROTTLING_SERIES } from './readers/throttling.ts';

const usagePercent = declareSeries({
  name: 'cpu.usage_percent',
  kind: 'gauge',
  unit: 'percent',
  help: 'Share of the time since the last scrape that was not idle, of a core and of all together (core="all"); waiting for I/O is idle time.',
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

const BUSY_MODES: readonly CpuMode[] = ['user', 'nice', 'system', 'irq', 'softirq', 'steal'];

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
  readonly #increases = new CpuTimeIncreases();
  /** The cores that are online. */
  #cores = '';
  #notice: string | undefined;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#frequency = new CpuFrequency(kernel);
    this.#throttling = new Throttling(kernel);
  }

  get notice(): string | undefined {
    return this.#notice;
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([
      () => this.#readUsage(),
      () => this.#frequency.read(this.#cores),
      () => this.#throttling.read(this.#cores),
    ]);
  }

  async #readUsage(): Promise<readonly Reading[]> {
    const listed = parseStat(await this.#kernel.proc('stat'));
    this.#cores = listed.cores.join();
    if (listed.totals > 1)
      this.#notice ??= `/proc/stat has ${listed.totals} lines of all cores: their usage is the sum of the cores; update lxcfs if it provides the file`;
    const increases = this.#increases.update(listed);
    return requireNoErrors(
      listed.errors,
      [...increases].flatMap(([core, ticks]) => toReadings(core, ticks)),
    );
  }
}

function toReadings(core: string, ticks: CpuTicks): Reading[] {
  const busy = sumTicks(BUSY_MODES, ticks);
  const total = busy + ticks.idle + ticks.iowait;
  if (total === 0) return []; // Two scrapes within one tick, 10 ms on most kernels.
  const usage = { series: usagePercent, labels: { core }, value: 100 * (busy / total) };
  if (core !== 'all') return [usage];
  const share = (mode: CpuMode) => ({ series: modePercent, labels: { mode }, value: 100 * (ticks[mode] / total) });
  return [usage, ...CPU_MODES.map(share)];
}

function sumTicks(modes: readonly CpuMode[], ticks: CpuTicks): number {
  return modes.reduce((total, mode) => total + ticks[mode], 0);
}
