import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

/**
 * The fault of a collector that could use some of its sources and not the others. It names those that it could not;
 * what the others said is in `readings`, for whoever catches it to store.
 */
export class PartialResultError extends AgentError {
  readonly readings: readonly Reading[];

  /** Code and hint are those of the first fault. */
  constructor(faults: readonly [AgentError, ...AgentError[]], readings: readonly Reading[]) {
    const [{ code, hint }] = faults;
    const message = faults.map((fault) => fault.message).join('; ');
    super(message, { code, cause: faults[0], ...(hint === undefined ? {} : { hint }) });
    this.readings = readings;
  }
}

/** What a collector that failed could read all the same. */
export function extractReadings(error: unknown): readonly Reading[] {
  return error instanceof PartialResultError ? error.readings : [];
}

/** How many faults a message names. */
const NAMED_FAULTS = 5;

/**
 * The readings of a source that went through its parts itself.
 *
 * @throws PartialResultError where any part is at fault, naming the first few
 */
export function requireNoErrors(faults: readonly AgentError[], readings: readonly Reading[]): readonly Reading[] {
  const [first, ...others] = faults.slice(0, NAMED_FAULTS);
  if (first === undefined) return readings;
  const more = faults.length - NAMED_FAULTS;
  const rest = more > 0 ? [new AgentError(`and ${more} more`, { code: first.code })] : [];
  throw new PartialResultError([first, ...others, ...rest], readings);
}

/** One of the sources of a collector; throws as `Collector.collect` does. */
export type SourceReader = () => Promise<readonly Reading[]>;

/**
 * The readings of all sources, one after the other: a source that is absent or at fault takes none of the others along.
 *
 * @throws AgentError the first source's KERNEL_FILE_ABSENT where all of them are absent
 * @throws PartialResultError where a source is at fault, with what the others said
 */
export async function readEach(sources: readonly SourceReader[]): Promise<readonly Reading[]> {
  const readings: Reading[] = [];
  const absences: AgentError[] = [];
  const faults: AgentError[] = [];
  for (const source of sources) {
    try {
      readings.push(...(await source()));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      readings.push(...extractReadings(error));
      (error.code === 'KERNEL_FILE_ABSENT' ? absences : faults).push(error);
    }
  }
  const [fault, ...others] = faults;
  if (fault !== undefined) throw new PartialResultError([fault, ...others], readings);
  if (absences.length === sources.length && absences[0] !== undefined) throw absences[0];
  return readings;
}
