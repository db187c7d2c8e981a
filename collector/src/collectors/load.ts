import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { ACTIVITY_SERIES, readActivity } from './readers/activity.ts';
import { splitFields, createLineError, parseSingleLine, quote } from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { createInfoReaders, INFO_SERIES } from './readers/system-info.ts';

const average = (name: string, minutes: string) =>
  declareSeries({
    name,
    kind: 'gauge',
    unit: 'none',
    help: `Tasks that ran, or waited for a processor or a disk, on average over ${minutes}.`,
  });

/** In the order of /proc/loadavg. */
const AVERAGES = [
  average('load.average_1m', 'one minute'),
  average('load.average_5m', 'five minutes'),
  average('load.average_15m', 'fifteen minutes'),
] as const;
const uptime = declareSeries({
  name: 'system.uptime_seconds',
  kind: 'gauge',
  unit: 'seconds',
  help: 'Time since the kernel was booted, also while it was suspended.',
});
export const LOAD_SERIES: readonly SeriesDeclaration[] = [...AVERAGES, uptime, ...ACTIVITY_SERIES, ...INFO_SERIES];

const LOADAVG = '/proc/loadavg';
const UPTIME = '/proc/uptime';

/**
 * The averages over 1, 5 and 15 minutes. What follows them (tasks, the last process id) is not read.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseLoadavg(text: string): number[] {
  return parseHundredths(LOADAVG, text, AVERAGES.length);
}

/**
 * Seconds since boot. The second number of the file is idle time.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseUptime(text: string): number {
  return parseHundredths(UPTIME, text, 2)[0] as number;
}

/** The kernel computes both files in fixed point and prints two decimals (`%lu.%02lu`), never more or fewer. */
const hundredths = /^[0-9]{1,20}\.[0-9]{2}$/;

/** The first numbers of a file of one line. */
function parseHundredths(path: string, text: string, count: number): number[] {
  const line = parseSingleLine(path, text);
  const fields = splitFields(line.text).slice(0, count);
  if (fields.length < count)
    throw createLineError(line, `${fields.length} numbers where at least ${count} are expected`);
  const wrong = fields.find((field) => !hundredths.test(field));
  if (wrong !== undefined) throw createLineError(line, `${quote(wrong)} is not a number with two decimals`);
  return fields.map(Number);
}

/** Load averages, how long the board has been up, what it is at, and what runs on it. */
export class LoadCollector implements Collector {
  readonly name = 'load';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #build: string | undefined;

  /** `build` is the version of this program; without it there is no series of it. */
  constructor(kernel: KernelSource, build?: string) {
    this.#kernel = kernel;
    this.#build = build;
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([
      () => this.#readLoad(),
      () => readActivity(this.#kernel),
      ...createInfoReaders(this.#kernel, this.#build),
    ]);
  }

  async #readLoad(): Promise<readonly Reading[]> {
    const averages = parseLoadavg(await this.#kernel.proc('loadavg'));
    const uptimeSeconds = parseUptime(await this.#kernel.proc('uptime'));
    const loads = AVERAGES.map((series, index) => ({ series, labels: {}, value: averages[index] as number }));
    return [...loads, { series: uptime, labels: {}, value: uptimeSeconds }];
  }
}
