import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { SourceReader } from './partial-result.ts';

/** An operator who sets the time zone sees it within this time. */
const KEPT_MS = 10 * 60_000;

/**
 * Keeps the readings of a source that hardly ever change, such as a model, or that there is no such source: it is read
 * again after ten minutes. A failure is not kept, so that the next scrape shows its end.
 */
export class KeptReadings {
  readonly #source: SourceReader;
  #kept: { readonly untilMs: number; readonly result: readonly Reading[] | AgentError } | undefined;

  constructor(source: SourceReader) {
    this.#source = source;
  }

  /** As `read`, but keeps nothing except that there is no such source. */
  async readUnlessAbsent(nowMs: number): Promise<readonly Reading[]> {
    const readings = await this.read(nowMs);
    this.#kept = undefined;
    return readings;
  }

  /** Returns what the source returned, or throws what it threw; `nowMs` is the time of the scrape. */
  async read(nowMs: number): Promise<readonly Reading[]> {
    if (this.#kept === undefined || nowMs >= this.#kept.untilMs) {
      this.#kept = undefined;
      this.#kept = { untilMs: nowMs + KEPT_MS, result: await this.#readSource() };
    }
    const { result } = this.#kept;
    if (result instanceof AgentError) throw result;
    return result;
  }

  async #readSource(): Promise<readonly Reading[] | AgentError> {
    try {
      return await this.#source();
    } catch (error) {
      if (error instanceof AgentError && toErrorCode(error) === 'KERNEL_FILE_ABSENT') return error;
      throw error;
    }
  }
}
