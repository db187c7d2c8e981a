import type { Clock } from '@thugshells/shared/clock.ts';
import type { LogFields, Logger } from '@thugshells/shared/logging/logger.ts';
import type { ReceiverCondition, UploadRecord } from '@thugshells/shared/state/uploader-report.ts';

export type { ReceiverCondition } from '@thugshells/shared/state/uploader-report.ts';

/** What one upload has delivered. */
export interface DeliveryRecord {
  readonly atMs: number;
  readonly count: number;
  readonly bytesSent: number;
  /** Whether some of what it sent was not accepted. */
  readonly isPartial?: boolean;
}

/** An attempt that failed and is repeated; the fields of its line in the log besides. */
export interface FailedAttempt extends LogFields {
  readonly durationMs: number;
  readonly waitMs: number;
}

/** Number of uploads that are kept for the status page. */
const KEPT_UPLOADS = 10;
/** Uploads that follow each other more closely than this, as the batches of a drain do, are shown as one. */
const SAME_UPLOAD_MS = 2_000;
/** A failed attempt that is repeated sooner is not worth a line: on a bad link there are many. */
const BRIEF_MS = 10_000;
/** A receiver that has been away for this long is probed less often: a thousand devices may probe the same one. */
const LONG_AWAY_MS = 10 * 60_000;

/** The receiver's state as seen by the uploads. Health shows it; it limits the log to one line per change of state. */
export class ReceiverState {
  readonly #clock: Clock;
  readonly #logger: Logger;
  condition: ReceiverCondition = 'unknown';
  reason = '';
  sinceMs: number;
  /** When the next attempt is due, Unix milliseconds; undefined while the receiver accepts samples. */
  nextAttemptAtMs: number | undefined;
  lastDelivery: DeliveryRecord | undefined;
  #uploads: readonly UploadRecord[] = [];
  /** The condition of the last line in the log. */
  #logged: ReceiverCondition = 'unknown';

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
    this.sinceMs = clock.now();
  }

  /** The last uploads, newest first. */
  get uploads(): readonly UploadRecord[] {
    return this.#uploads;
  }

  /** Restores what the last process reported. */
  remember({
    uploads,
    lastDelivery,
  }: {
    readonly uploads: readonly UploadRecord[];
    readonly lastDelivery: DeliveryRecord | undefined;
  }): void {
    this.#uploads = uploads;
    this.lastDelivery ??= lastDelivery;
  }

  /** Whether it has been away for so long that it is probed less often. */
  get isLongAway(): boolean {
    return this.condition === 'away' && this.#clock.now() - this.sinceMs > LONG_AWAY_MS;
  }

  /** Records a failed upload; returns whether that is to be logged: once for each condition. */
  failed(condition: 'away' | 'held' | 'fault', reason: string): boolean {
    this.reason = reason;
    this.#note({ atMs: this.#clock.now(), samples: 0, bytes: 0, outcome: 'failed', reason, times: 1 });
    this.#become(condition);
    return this.#isNews(condition);
  }

  /**
   * Records an attempt that failed after `durationMs` and is repeated in `waitMs`: what is wrong is known at once, not after
   * the last attempt. It is logged unless it is the first one and was brief.
   */
  attemptFailed(reason: string, { durationMs, waitMs, ...fields }: FailedAttempt): void {
    this.reason = reason;
    this.waitsFor(waitMs);
    const isFirst = this.#become('away');
    if ((isFirst && durationMs + waitMs < BRIEF_MS) || !this.#isNews('away')) return;
    this.#logger.warn('upload failed, will retry', { error: reason, ...fields, next_attempt_ms: Math.round(waitMs) });
  }

  /** Records that nothing is sent for so long. */
  waitsFor(waitMs: number): void {
    this.nextAttemptAtMs = this.#clock.now() + waitMs;
  }

  /** Records that the receiver accepted something. */
  answered(): void {
    this.nextAttemptAtMs = undefined;
    this.lastDelivery = { count: 0, bytesSent: 0, ...this.lastDelivery, atMs: this.#clock.now() };
    const before = { condition: this.condition, sinceMs: this.sinceMs };
    this.reason = '';
    if (!this.#become('taking')) return;
    const logged = this.#logged;
    if (!this.#isNews('taking')) return;
    if (logged === 'unknown') this.#logger.info('receiver accepts samples');
    else this.#logger.warn('receiver recovered', { after_ms: this.#clock.now() - before.sinceMs });
  }

  /** Records an upload that delivered something. */
  delivered(delivery: DeliveryRecord): void {
    this.lastDelivery = delivery;
    const { atMs, count, bytesSent, isPartial = false } = delivery;
    this.#note({
      atMs,
      samples: count,
      bytes: bytesSent,
      outcome: isPartial ? 'partial' : 'delivered',
      reason: '',
      times: 1,
    });
  }

  #note(upload: UploadRecord): void {
    const [last, ...before] = this.#uploads;
    const isSame =
      last?.outcome === upload.outcome &&
      (upload.outcome === 'failed' ? last.reason === upload.reason : upload.atMs - last.atMs < SAME_UPLOAD_MS);
    this.#uploads = isSame
      ? [
          {
            ...upload,
            samples: last.samples + upload.samples,
            bytes: last.bytes + upload.bytes,
            times: last.times + 1,
          },
          ...before,
        ]
      : [upload, ...this.#uploads].slice(0, KEPT_UPLOADS);
  }

  #isNews(condition: ReceiverCondition): boolean {
    const isNews = this.#logged !== condition;
    this.#logged = condition;
    return isNews;
  }

  #become(condition: ReceiverCondition): boolean {
    if (this.condition === condition) return false;
    this.condition = condition;
    this.sinceMs = this.#clock.now();
    return true;
  }
}
