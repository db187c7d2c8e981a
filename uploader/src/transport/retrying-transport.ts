import type { Clock } from '@thugshells/shared/clock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { calculateBackoff, type BackoffPolicy } from './backoff.ts';
import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import { RequestPace } from './request-pace.ts';
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

/** Until when nothing may be sent, by the monotonic clock; −Infinity if nothing speaks against it. */
export interface Pause {
  /** The receiver asked for it. */
  readonly askedUntil: number;
  /** The backoff; it is over when the receiver is known to be back. */
  readonly backoffUntil: number;
  /** Whether the last attempt got a response: then a lost one is not why nothing was accepted. */
  readonly hasResponse: boolean;
}

export const NO_PAUSE: Pause = { askedUntil: -Infinity, backoffUntil: -Infinity, hasResponse: false };

/** Statuses of a limit of requests: nginx' limit_req has 503 by default. */
const LIMITED: readonly (number | undefined)[] = [429, 503];

/** Adds retries with backoff to a transport, while the outcome is `retry`, and the pace that a limit of requests asks for. */
export class RetryingTransport implements Transport {
  readonly #transport: Transport;
  readonly #options: RetryingTransportOptions;
  readonly #pace = new RequestPace();
  #pause = NO_PAUSE;

  constructor(transport: Transport, options: RetryingTransportOptions) {
    this.#transport = transport;
    this.#options = options;
  }

  get format(): BodyFormatName {
    return this.#transport.format;
  }

  /** What the last attempt left to be waited for: the next chunk must not come at once where the last one failed. */
  get pause(): Pause {
    return this.#pause;
  }

  /** Sends a chunk; returns the first result whose outcome is not `retry`, or the last one. */
  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, logger, policy, random, onAttempt, onRetry, stop } = this.#options;
    const attempts = this.#options.isLongAway() ? 1 : this.#options.attempts;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#sendAtPace(chunk, signal);
      onAttempt(result, chunk.count);
      logger.debug('chunk sent', { attempt, ...toLogFields(result, chunk) });
      if (result.outcome.kind !== 'retry') {
        this.#pause = NO_PAUSE;
        return result;
      }
      const askedMs = result.outcome.retryAfterMs ?? 0;
      const backoffMs = Math.max(calculateBackoff(attempt, policy, random), askedMs);
      const nowMs = clock.monotonic();
      const hasResponse = result.status !== undefined;
      this.#pause = { askedUntil: nowMs + askedMs, backoffUntil: nowMs + backoffMs, hasResponse };
      if (attempt >= attempts || stop.aborted) return result;
      logger.debug('backing off before retry', { attempt, backoff_ms: Math.round(backoffMs) });
      onRetry(result, result.outcome.reason, backoffMs);
      await clock.sleep(backoffMs, stop);
      if (stop.aborted) return result;
    }
  }

  async #sendAtPace(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, stop } = this.#options;
    const waitMs = this.#pace.waitMs(clock.monotonic());
    if (waitMs > 0) await clock.sleep(waitMs, stop);
    const atMs = clock.monotonic();
    const result = await this.#transport.send(chunk, signal);
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') this.#pace.accepted(atMs);
    else if (LIMITED.includes(result.status)) this.#pace.refused(atMs);
    return result;
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
