import type { Clock } from '@thugshells/shared/clock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { calculateBackoff, type BackoffPolicy } from './backoff.ts';
import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import type { SendResult, Transport } from './transport.ts';

export interface RetryingTransportOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly policy: BackoffPolicy;
  /** How often a chunk is tried. */
  readonly attempts: number;
  /** Whether the receiver has been away for long. Then one try is enough: what spreads a fleet is that its boards ask seldom. */
  readonly isLongAway: () => boolean;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
  /** Sees every try, also those that are repeated. */
  readonly onAttempt: (post: SendResult, samples: number) => void;
  /** Ends the waiting between two tries, not the try under way. */
  readonly stop: AbortSignal;
}

/** A transport that tries again, after a wait, while the outcome says that this may help. */
export class RetryingTransport implements Transport {
  readonly #transport: Transport;
  readonly #options: RetryingTransportOptions;

  constructor(transport: Transport, options: RetryingTransportOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  get format(): BodyFormatName {
    return this.#transport.format;
  }

  /** The first outcome that is not `retry`, or the last one. */
  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, logger, policy, random, onAttempt: onPost, stop } = this.#options;
    const attempts = this.#options.isLongAway() ? 1 : this.#options.attempts;
    for (let attempt = 1; ; attempt++) {
      const post = await this.#transport.send(chunk, signal);
      onPost(post, chunk.count);
      logger.debug('chunk sent', { attempt, ...logFieldsOf(post, chunk) });
      if (post.outcome.kind !== 'retry' || attempt >= attempts || stop.aborted) return post;
      const backoffMs = Math.max(calculateBackoff(attempt, policy, random), post.outcome.retryAfterMs ?? 0);
      logger.debug('backing off before retry', { attempt, backoff_ms: Math.round(backoffMs) });
      await clock.sleep(backoffMs, stop);
      if (stop.aborted) return post;
    }
  }
}

/** What a line about one post bears. */
function logFieldsOf(post: SendResult, chunk: Chunk): Record<string, unknown> {
  return {
    outcome: post.outcome.kind,
    count: chunk.count,
    endpoint: post.endpoint,
    http_status: post.status,
    bytes_sent: post.bytesSent,
    bytes_rcvd: post.bytesReceived,
    duration_ms: Math.round(post.durationMs),
    ...('reason' in post.outcome ? { error: post.outcome.reason, error_code: post.errorCode } : {}),
  };
}
