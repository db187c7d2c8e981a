import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { ACTIVITY_SERIES, readActivity } from './readers/activity.ts';
import { parseFields, parseFraction } from './parsing/fractions.ts';
import { readEach } from './readers/partial-result.ts';
import { createInfoReaders, INFO_SERIES } from './readers/system-info.ts';
import { parseUptime } from './readers/uptime.ts';

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

/** The kernel prints exactly two decimals (`%lu.%02lu`). */
const hundredths = /^[0-9]{1,20}\.[0-9]{2}$/;

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
