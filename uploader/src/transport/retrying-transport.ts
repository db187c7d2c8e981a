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
  /** Maximum number of attempts per chunk. */
  readonly attempts: number;
  /** Whether the receiver has been away for long. Then there is one attempt: a fleet must not retry all at once. */
  readonly isLongAway: () => boolean;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
  /** Called with the result of each attempt, also of those that are retried. */
  readonly onAttempt: (result: SendResult, samples: number) => void;
  /** Called before each backoff with the failed attempt's result and the milliseconds until the next one. */
  readonly onRetry: (result: SendResult, reason: string, waitMs: number) => void;
  /** Ends the backoff between two attempts, not the attempt in flight. */
  readonly stop: AbortSignal;
}

/** Adds retries with backoff to a transport, while the outcome is `retry`. */
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

  /** Sends a chunk; returns the first result whose outcome is not `retry`, or the last one. */
  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, logger, policy, random, onAttempt, onRetry, stop } = this.#options;
    const attempts = this.#options.isLongAway() ? 1 : this.#options.attempts;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#transport.send(chunk, signal);
      onAttempt(result, chunk.count);
      logger.debug('chunk sent', { attempt, ...toLogFields(result, chunk) });
      if (result.outcome.kind !== 'retry' || attempt >= attempts || stop.aborted) return result;
      const backoffMs = Math.max(calculateBackoff(attempt, policy, random), result.outcome.retryAfterMs ?? 0);
      logger.debug('backing off before retry', { attempt, backoff_ms: Math.round(backoffMs) });
      onRetry(result, result.outcome.reason, backoffMs);
      await clock.sleep(backoffMs, stop);
      if (stop.aborted) return result;
    }
  }
}

/** Returns the log fields of one attempt. */
function toLogFields(result: SendResult, chunk: Chunk): Record<string, unknown> {
  return {
    outcome: result.outcome.kind,
    count: chunk.count,
    endpoint: result.endpoint,
    http_status: result.status,
    bytes_sent: result.bytesSent,
    bytes_rcvd: result.bytesReceived,
    duration_ms: Math.round(result.durationMs),
    ...('reason' in result.outcome ? { error: result.outcome.reason, error_code: result.errorCode } : {}),
  };
}
