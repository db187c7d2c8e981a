import { AgentError } from '@thugshells/shared/errors.js';
import type { Reading } from '@thugshells/shared/sample.js';

/**
 * The fault of a collector that could use some of its sources and not the others. It names those that it could not;
 * what the others said is in `readings`, for whoever catches it to store.
 */
export class PartlyRead extends AgentError {
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
export function readingsIn(error: unknown): readonly Reading[] {
  return error instanceof PartlyRead ? error.readings : [];
}
