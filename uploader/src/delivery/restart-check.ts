import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { RestartSign } from '../queue/restart-signs.ts';
import type { ReceiverCheck } from '../transport/transport.ts';
import type { ReceiverState } from './receiver-state.ts';

export interface RestartCheckOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acknowledgements: Acknowledgements;
  readonly receiver: Pick<ReceiverState, 'condition'>;
  readonly receiverCheck: ReceiverCheck;
  /** How long to wait before looking again whether a receiver that was away responds. */
  readonly probeIntervalMs: number;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
  readonly stop: AbortSignal;
}

/** Share of the interval by which a question varies: one right after each upload might meet a proxy's limit each time. */
const JITTER = 0.2;

/**
 * Requeues what the receiver may have lost in a restart. A sign of one raises a doubt (queue/replay-window.ts); the answer
 * to a question settles it.
 */
export class RestartCheck {
  readonly #options: RestartCheckOptions;
  #asking: Promise<void> | undefined;

  constructor(options: RestartCheckOptions) {
    this.#options = options;
  }

  /**
   * Applies a sign; resolves when nothing is in doubt any more. After a stop nothing is requeued: the next process requeues
   * what is unconfirmed.
   */
  async onRestartSign(sign: RestartSign): Promise<void> {
    const { acknowledgements, stop } = this.#options;
    if (stop.aborted) return;
    this.#requeue(() => acknowledgements.applySign(sign));
    this.#asking ??= this.#ask().finally(() => (this.#asking = undefined));
    await this.#asking;
  }

  /** Asks until nothing is in doubt. */
  async #ask(): Promise<void> {
    const { acknowledgements, clock, logger, receiverCheck, receiver, probeIntervalMs, random, stop } = this.#options;
    for (
      let atMs = acknowledgements.findNextQuestion();
      atMs !== undefined;
      atMs = acknowledgements.findNextQuestion()
    ) {
      const waitMs = receiver.condition === 'away' ? Math.max(probeIntervalMs, 1) : atMs - clock.sinceBoot();
      if (waitMs > 0) await clock.sleep(waitMs + JITTER * probeIntervalMs * random(), stop);
      else {
        const askedAtMs = clock.sinceBoot();
        const answer = await receiverCheck.askStartTime(stop);
        logger.debug('receiver asked for start time', { ...answer });
        if (!stop.aborted) this.#requeue(() => acknowledgements.applyAnswer(answer, askedAtMs));
      }
      if (stop.aborted) return;
    }
  }

  #requeue(decide: () => number): void {
    const { logger } = this.#options;
    try {
      const count = decide();
      if (count > 0) logger.info('requeued samples of lost connection', { count });
    } catch (error) {
      logger.warn('cannot requeue samples of lost connection', toErrorFields(error));
    }
  }
}
