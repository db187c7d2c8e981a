import type { Clock } from '@thugshells/shared/clock.js';
import type { Logger } from '@thugshells/shared/logger.js';

/** taking: it takes samples; away: it may do so again by itself; held: somebody has to change something; fault: ours. */
export type ReceiverCondition = 'unknown' | 'taking' | 'away' | 'held' | 'fault';

/** The last pass that delivered something. */
export interface Delivery {
  readonly atMs: number;
  readonly count: number;
  readonly bytesSent: number;
}

/** How the uploads fare: what health shows, and what makes one log line a change instead of one a try. */
export class ReceiverState {
  readonly #clock: Clock;
  readonly #logger: Logger;
  condition: ReceiverCondition = 'unknown';
  reason = '';
  sinceMs: number;
  lastDelivery: Delivery | undefined;

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.sinceMs = clock.now();
  }

  /** An upload failed; true where that is news. */
  failed(condition: 'away' | 'held' | 'fault', reason: string): boolean {
    this.reason = reason;
    return this.#become(condition);
  }

  /** The receiver took something. */
  answered(): void {
    const before = { condition: this.condition, sinceMs: this.sinceMs };
    this.reason = '';
    if (!this.#become('taking')) return;
    if (before.condition === 'unknown') this.#logger.info('the receiver takes samples');
    else this.#logger.warn('the receiver takes samples again', { after_ms: this.#clock.now() - before.sinceMs });
  }

  delivered(delivery: Delivery): void {
    this.lastDelivery = delivery;
  }

  #become(condition: ReceiverCondition): boolean {
    if (this.condition === condition) return false;
    this.condition = condition;
    this.sinceMs = this.#clock.now();
    return true;
  }
}
