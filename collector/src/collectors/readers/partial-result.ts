import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

/**
 * The error of a collector that could read some of its sources. It names those that failed; the readings of the others
 * are in `readings`, to be stored.
 */
export class PartialResultError extends AgentError {
  readonly readings: readonly Reading[];

  /** Takes code and hint of the first error. */
  constructor(errors: readonly [AgentError, ...AgentError[]], readings: readonly Reading[]) {
    const [{ code, hint }] = errors;
    const message = errors.map((error) => error.message).join('; ');
    super(message, { code, cause: errors[0], ...(hint === undefined ? {} : { hint }) });
    this.readings = readings;
  }
}

/** Returns the readings of a collector that failed in part. */
export function extractReadings(error: unknown): readonly Reading[] {
  return error instanceof PartialResultError ? error.readings : [];
}

/** How many errors a message names. */
const MAX_NAMED_ERRORS = 5;

/**
 * Returns the readings if no part of a source failed.
 *
 * @throws PartialResultError if one did, naming the first five
 */
export function requireNoErrors(errors: readonly AgentError[], readings: readonly Reading[]): readonly Reading[] {
  const [first, ...others] = errors.slice(0, MAX_NAMED_ERRORS);
  if (first === undefined) return readings;
  const more = errors.length - MAX_NAMED_ERRORS;
  const rest = more > 0 ? [new AgentError(`and ${more} more`, { code: first.code })] : [];
  throw new PartialResultError([first, ...others, ...rest], readings);
}

/** Reads one of the sources of a collector; throws as `Collector.collect` does. */
export type SourceReader = () => Promise<readonly Reading[]>;

/**
 * Reads all sources one after the other. A source that is absent or fails does not affect the others.
 *
 * @throws AgentError KERNEL_FILE_ABSENT of the first source if all of them are absent
 * @throws PartialResultError with the readings of the others if a source fails
 */
export async function readEach(sources: readonly SourceReader[]): Promise<readonly Reading[]> {
  const readings: Reading[] = [];
  const absences: AgentError[] = [];
  const failures: AgentError[] = [];
  for (const source of sources) {
    try {
      readings.push(...(await source()));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      readings.push(...extractReadings(error));
      (error.code === 'KERNEL_FILE_ABSENT' ? absences : failures).push(error);
    }
  }
  const [failure, ...others] = failures;
  if (failure !== undefined) throw new PartialResultError([failure, ...others], readings);
  if (absences.length === sources.length && absences[0] !== undefined) throw absences[0];
  return readings;
}
