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
  help: 'Time since boot, including suspend.',
});
export const LOAD_SERIES: readonly SeriesDeclaration[] = [...AVERAGES, uptime, ...ACTIVITY_SERIES, ...INFO_SERIES];

const LOADAVG = '/proc/loadavg';
const UPTIME = '/proc/uptime';

/**
 * Parses /proc/loadavg: returns the averages over 1, 5 and 15 minutes. Tasks and the last process id are not read.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseLoadavg(text: string): number[] {
  return parseHundredths(LOADAVG, text, AVERAGES.length);
}

/**
 * Parses /proc/uptime: returns seconds since boot. The second number of the file is idle time.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseUptime(text: string): number {
  return parseHundredths(UPTIME, text, 2)[0] as number;
}

/** The kernel prints exactly two decimals in both files (`%lu.%02lu`). */
const hundredths = /^[0-9]{1,20}\.[0-9]{2}$/;

/** Parses the first numbers of a file of one line. */
function parseHundredths(path: string, text: string, count: number): number[] {
  const line = parseSingleLine(path, text);
  const fields = splitFields(line.text).slice(0, count);
  if (fields.length < count) throw createLineError(line, `${fields.length} numbers, expected at least ${count}`);
  const wrong = fields.find((field) => !hundredths.test(field));
  if (wrong !== undefined) throw createLineError(line, `${quote(wrong)} is not a number with two decimals`);
  return fields.map(Number);
}

/** Collects load averages, uptime, counters of the scheduler, and the versions of kernel and collector. */
export class LoadCollector implements Collector {
  readonly name = 'load';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #build: string | undefined;

  /** `build` is the version of this program; without it there is no series `collector.build`. */
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
