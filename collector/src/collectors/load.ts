import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { ACTIVITY_SERIES, readActivity } from './readers/activity.ts';
import { splitFields, createLineError, parseSingleLine, quote, type KernelLine } from './parsing/kernel-text.ts';
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

/** The kernel prints exactly two decimals (`%lu.%02lu`). */
const hundredths = /^[0-9]{1,20}\.[0-9]{2}$/;
/** As above; old versions of lxcfs print one decimal, always 0. */
const uptimeForm = /^[0-9]{1,20}\.[0-9]{1,2}$/;

/** The kernel counts time in nanoseconds of 63 bits; lxcfs, which subtracts two times, may write one below 0 as nearly 2^64. */
const MAX_UPTIME_SECONDS = 2 ** 63 / 1e9;

/** What follows the averages: tasks that are runnable, and all. Without it there, it is unknown which average is which. */
const tasks = /^[0-9]+\/[0-9]+$/;

/**
 * Parses /proc/loadavg: returns the averages over 1, 5 and 15 minutes. Tasks and the last process id are not read.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 * @throws PartialResultError with the others if one average is malformed
 */
async function parseLoadavg(text: string): Promise<readonly Reading[]> {
  const { line, fields } = parseFields(LOADAVG, text, AVERAGES.length);
  const readers = AVERAGES.map((series, index) => async () => [
    { series, labels: {}, value: parseFraction(line, fields[index] as string, hundredths) },
  ]);
  if (tasks.test(fields[AVERAGES.length] ?? '')) return readEach(readers);
  return (await Promise.all(readers.map((read) => read()))).flat();
}

/**
 * Parses /proc/uptime: returns seconds since boot. The second number of the file, idle time, is not read.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseUptime(text: string): number {
  const { line, fields } = parseFields(UPTIME, text, 2);
  const seconds = parseFraction(line, fields[0] as string, uptimeForm);
  if (seconds > MAX_UPTIME_SECONDS) throw createLineError(line, `${seconds} s is longer than a kernel can count`);
  return seconds;
}

/** Splits a file of one line into at least so many fields: with fewer, the last one may be truncated. */
function parseFields(path: string, text: string, min: number): { line: KernelLine; fields: readonly string[] } {
  const line = parseSingleLine(path, text);
  const fields = splitFields(line.text);
  if (fields.length < min) throw createLineError(line, `${fields.length} numbers, expected at least ${min}`);
  return { line, fields };
}

function parseFraction(line: KernelLine, field: string, form: RegExp): number {
  if (!form.test(field)) throw createLineError(line, `${quote(field)} is not a number with two decimals`);
  return Number(field);
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
      async () => parseLoadavg(await this.#kernel.proc('loadavg')),
      async () => [{ series: uptime, labels: {}, value: parseUptime(await this.#kernel.proc('uptime')) }],
      () => readActivity(this.#kernel),
      ...createInfoReaders(this.#kernel, this.#build),
    ]);
  }
}
