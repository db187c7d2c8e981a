import type { AgentError } from '@thugshells/shared/errors.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';
import {
  NOTHING_VERIFIED,
  type LostSamples,
  type VerificationState,
} from '@thugshells/shared/state/verification-state.ts';

import type { SliceCounts } from './judgements.ts';
import type { SeriesSamples } from './series-samples.ts';

/** Series that a line of the log names. */
const MAX_NAMES = 5;

/** Counts what verification came to, for health and the agent's own series, and logs what is missing. */
export class VerificationCounts {
  readonly #logger: Logger;
  readonly #now: () => number;
  #state: VerificationState = NOTHING_VERIFIED;

  constructor({ logger, now }: { readonly logger: Logger; readonly now: () => number }) {
    this.#logger = logger;
    this.#now = now;
  }

  get state(): VerificationState {
    return this.#state;
  }

  /** A run begins. */
  began(): void {
    this.#state = { ...this.#state, foreign: 0 };
  }

  settled(
    { missing, missingAgain, reverified, requeued }: SliceCounts,
    series: readonly SeriesSamples[],
    foreign: readonly SeriesSamples[],
  ): void {
    const before = this.#state;
    this.#state = {
      ...before,
      missing: before.missing + missing,
      requeued: before.requeued + requeued,
      reverified: before.reverified + reverified,
      missingAgain: before.missingAgain + missingAgain,
      foreign: before.foreign + foreign.reduce((sum, { count }) => sum + count, 0),
    };
    if (series.length === 0) return;
    const lost: LostSamples = {
      atMs: this.#now(),
      count: series.reduce((sum, { count }) => sum + count, 0),
      fromMs: Math.min(...series.map(({ firstMs }) => firstMs)),
      toMs: Math.max(...series.map(({ lastMs }) => lastMs)),
      outcome: missingAgain > 0 ? 'missing again' : requeued > 0 ? 'requeued' : 'reported',
    };
    this.#state = { ...this.#state, lastLost: lost };
    this.#logger.warn(missingAgain > 0 ? 'samples missing at receiver again' : 'samples missing at receiver', {
      count: lost.count,
      requeued,
      from: formatTime(lost.fromMs),
      to: formatTime(lost.toMs),
      series: [...new Set(series.map(({ series: { name } }) => name))].slice(0, MAX_NAMES).join(' '),
    });
  }

  /** Everything delivered with a time up to this one is judged. */
  verifiedThrough(throughMs: number | undefined): void {
    this.#state = { ...this.#state, throughMs };
  }

  /** The receiver was read. */
  readable(): void {
    const { failure, ...state } = this.#state;
    if (failure === undefined) return;
    this.#state = state;
    this.#logger.info('verification recovered', { reason: failure });
  }

  /** The receiver could not be read; logged once for each reason. */
  unreadable({ message, hint, code }: AgentError): void {
    const failure = [message, hint].filter(Boolean).join('; ');
    if (this.#state.failure !== failure)
      this.#logger.warn('cannot verify deliveries, will retry', { error: message, error_code: code, hint });
    this.#state = { ...this.#state, failure };
  }
}
