import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError, ExitCode, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';
import { printNumber, toJsonLine, toMetricObject } from '@thugshells/shared/metrics/json-lines.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import type { Collector } from '../collectors/collector.ts';
import { extractReadings } from '../collectors/readers/partial-result.ts';
import type { SeriesLimit } from '../scheduling/series-limit.ts';
import { Admission, type AdmissionOptions } from '../store/writing/admission.ts';

export interface OnceOptions extends AdmissionOptions {
  readonly clock: Clock;
  readonly seriesLimit: SeriesLimit;
  /** The longest that one read of a collector may take; without a limit if it is missing. */
  readonly maxReadMs?: number;
}

/** What `once` prints and whether every collector did its work. */
export interface OnceResult {
  /** VictoriaMetrics JSON lines: what would be stored. */
  readonly lines: string;
  /** One sentence for each collector that failed and each reading that was refused. */
  readonly failures: readonly string[];
  /** What is left out though nothing failed. */
  readonly remarks: readonly string[];
}

/** The result of one read of a collector. */
interface ReadResult {
  readonly readings: readonly Reading[];
  readonly failure?: string;
  readonly isOverdue?: boolean;
}

/** A file system of another machine may take seconds; what takes longer does not answer. */
export const MAX_READ_MS = 30_000;

const OVERDUE = 'READ_OVERDUE';

/** Rates compare two reads; this far apart they are rates of something. */
const BETWEEN_READS_MS = 1_000;

/** Runs the command `once`: prints what every collector returns; exit code 1 when one of them fails. */
export async function onceCommand(
  scheduled: readonly { readonly collector: Collector }[],
  options: OnceOptions,
): Promise<CommandResult> {
  const { lines, failures, remarks } = await collectOnce(
    scheduled.map(({ collector }) => collector),
    options,
  );
  return {
    text: lines,
    problems: [...failures, ...remarks],
    exitCode: failures.length === 0 ? ExitCode.clean : ExitCode.fault,
  };
}

/** Reads every collector once, or twice, a second apart, if it compares two reads; opens no database. */
export async function collectOnce(collectors: readonly Collector[], options: OnceOptions): Promise<OnceResult> {
  const { clock } = options;
  const comparing = collectors.filter((collector) => collector.comparesReads);
  // A read that hangs keeps its thread, of which there are four: its collector is not read again.
  const overdue = new Map<Collector, ReadResult>();
  for (const collector of comparing) {
    const result = await read(collector, options);
    if (result.isOverdue === true) overdue.set(collector, result);
  }
  if (comparing.length > 0) await clock.sleep(BETWEEN_READS_MS);
  const timestampMs = clock.now();
  const results = await Promise.all(
    collectors.map(async (collector) => overdue.get(collector) ?? read(collector, options)),
  );
  const failures = results.flatMap(({ failure }) => failure ?? []);
  const remarks: string[] = [];
  const admission = new Admission(options);
  const samples = results.flatMap(({ readings }, index) => {
    const { name, leftOut = [] } = collectors[index] as Collector;
    const capped = options.seriesLimit.admit(name, readings, clock.monotonic());
    const admitted = admission.admit(capped.readings, timestampMs);
    failures.push(...capped.refusals, ...admitted.refusals);
    remarks.push(...leftOut.map(({ reason }) => reason), ...admitted.valueless);
    return admitted.samples;
  });
  const lines = samples.map((sample) => {
    return toJsonLine(
      toMetricObject(sample, typeof sample.value === 'string' ? sample.value : undefined),
      typeof sample.value === 'string' ? '1' : printNumber(sample.value),
      String(timestampMs - (sample.ageMs ?? 0)),
    );
  });
  return { lines: lines.join(''), failures, remarks };
}

async function read(collector: Collector, { clock, maxReadMs }: OnceOptions): Promise<ReadResult> {
  try {
    const reading = collector.collect({ monotonicMs: clock.monotonic() });
    return { readings: await (maxReadMs === undefined ? reading : withTimeout(reading, clock, maxReadMs)) };
  } catch (error) {
    if (toErrorCode(error) === 'KERNEL_FILE_ABSENT') return { readings: [] };
    const failure = `${collector.name}: ${toErrorMessage(error)}`;
    return { readings: extractReadings(error), failure, isOverdue: toErrorCode(error) === OVERDUE };
  }
}

/** @throws AgentError READ_OVERDUE if a read does not end in time; nothing can end it */
async function withTimeout<T>(reading: Promise<T>, clock: Clock, maxReadMs: number): Promise<T> {
  const ended = new AbortController();
  const timeout = clock.sleep(maxReadMs, ended.signal).then((): never => {
    throw new AgentError(`no result within ${maxReadMs / 1000} s`, {
      code: OVERDUE,
      hint: 'check the file systems and devices that it reads (run: dmesg)',
    });
  });
  try {
    return await Promise.race([reading, timeout]);
  } finally {
    ended.abort();
  }
}
