import type { Clock } from '@thugshells/shared/clock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import { AttemptBackoff, type AttemptBackoffOptions, type Pause } from './attempt-backoff.ts';
import type { Chunk } from '../chunk.ts';
import type { BodyFormatName } from '../encoding/formats/registry.ts';
import { RequestPace } from './request-pace.ts';
import type { SendResult, Transport } from './transport.ts';

export interface RetryingTransportOptions extends AttemptBackoffOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Maximum number of attempts in a row before the next ones are left to later uploads, one each. */
  readonly attempts: number;
  /** Whether the receiver has been away for long. Then there is one attempt: a fleet must not retry all at once. */
  readonly isLongAway: () => boolean;
  /** Called with the result of each attempt, also of those that are retried. */
  readonly onAttempt: (result: SendResult, samples: number) => void;
  /** Called before each backoff with the failed attempt's result and the milliseconds until the next one. */
  readonly onRetry: (result: SendResult, reason: string, waitMs: number) => void;
  /** Ends the backoff between two attempts, not the attempt in flight. */
  readonly stop: AbortSignal;
}

/** Statuses of a limit of requests: nginx' limit_req has 503 by default. */
const LIMITED: readonly (number | undefined)[] = [429, 503];

/** Adds retries with backoff to a transport, while the outcome is `retry`, and the pace that a limit of requests asks for. */
export class RetryingTransport implements Transport {
  readonly #transport: Transport;
  readonly #options: RetryingTransportOptions;
  readonly #pace = new RequestPace();
  readonly #backoff: AttemptBackoff;

  constructor(transport: Transport, options: RetryingTransportOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#backoff = new AttemptBackoff(options);
  }

  get format(): BodyFormatName {
    return this.#transport.format;
  }

  /** What the last attempt left to be waited for: the next chunk must not come at once where the last one failed. */
  get pause(): Pause {
    return this.#backoff.pause;
  }

  /** Sends a chunk; returns the first result whose outcome is not `retry`, or the last one. */
  async send(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const { clock, logger, attempts, isLongAway, onAttempt, onRetry, stop } = this.#options;
    const maxFailures = isLongAway() ? 1 : attempts;
    for (let attempt = 1; ; attempt++) {
      const result = await this.#sendAtPace(chunk, signal);
      onAttempt(result, chunk.count);
      logger.debug('chunk sent', { attempt, ...toLogFields(result, chunk) });
      const backoffMs = this.#note(result);
      if (result.outcome.kind !== 'retry' || this.#backoff.failures >= maxFailures || stop.aborted) return result;
      logger.debug('backing off before retry', { attempt, backoff_ms: Math.round(backoffMs) });
      onRetry(result, result.outcome.reason, backoffMs);
      await clock.sleep(backoffMs, stop);
      if (stop.aborted) return result;
    }
  }

  /** Sends a chunk once, beside the queue: a failure of it is one of the receiver, for all who send. */
  async sendOnce(chunk: Chunk, signal: AbortSignal): Promise<SendResult> {
    const result = await this.#transport.send(chunk, signal);
    this.#note(result);
    return result;
  }

  /** Learns from the response to a request without samples: it fails as one with samples would, and accepts none. */
  noteAsked(result: SendResult): void {
    if (result.outcome.kind === 'rejected') this.#backoff.refused();
    else if (result.outcome.kind !== 'delivered') this.#note(result);
  }

  /** The receiver refuses samples; returns for how many milliseconds none may be sent. */
  refusedSamples(): number {
    return this.#backoff.refusedSamples();
  }

  /** Returns for how long nothing may be sent. Only who searches a rejected chunk knows whether others are accepted. */
  #note({ outcome, status }: SendResult): number {
    const hasResponse = status !== undefined;
    if (outcome.kind === 'retry') return this.#backoff.failed({ askedMs: outcome.retryAfterMs ?? 0, hasResponse });
    if (outcome.kind === 'hold') return this.#backoff.refused();
    if (outcome.kind !== 'rejected') this.#backoff.accepted();
    return 0;
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
