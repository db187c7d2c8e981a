import type { Clock } from '@thugshells/shared/clock.ts';
import { toLockError } from '@thugshells/shared/database/write-lock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { Backlog } from '../queue/backlog.ts';
import type { DatabaseWatch } from '../queue/database-watch.ts';
import type { BatchSender, SentBatch } from './batch-sender.ts';
import type { Liveness } from './liveness.ts';
import type { ReceiverProbe } from './receiver-probe.ts';
import type { RateLimiter } from './rate-limiter.ts';
import type { TooOldSamples } from './too-old-samples.ts';
import type { RetryingTransport } from '../transport/retrying-transport.ts';
import type { ReceiverCheck } from '../transport/transport.ts';
import { BatchPrefetcher, type BatchPrefetcherOptions } from './batch-prefetcher.ts';

export interface UploadLoopOptions extends BatchPrefetcherOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backlog: Backlog;
  readonly acknowledgements: Acknowledgements;
  readonly sender: BatchSender;
  readonly watch: DatabaseWatch;
  readonly receiverCheck: Pick<ReceiverCheck, 'confirmConnection'>;
  readonly probe: ReceiverProbe;
  readonly rateLimiter: RateLimiter;
  readonly liveness: Liveness;
  readonly transport: Pick<RetryingTransport, 'format' | 'pause'>;
  readonly tooOld: TooOldSamples;
  /** For receivers that reject a sample once they have a newer one of its series. */
  readonly sendsOldestFirst?: boolean;
  readonly dbPath: string;
  readonly uploadIntervalMs: number;
  readonly replayWindowMs: number;
  /** Milliseconds until the first cycle: each device has its own phase of the interval. */
  readonly firstCycleInMs: number;
}

/**
 * VictoriaMetrics closes a connection that is idle for a minute or two. With longer waits the connection of this cycle would
 * end before a response over it has confirmed anything, so a request without a body is sent before such a wait.
 */
const LONG_WAIT_MS = 60_000;
/** How late a wait may end on a busy device. */
const WAIT_SLACK_MS = 60_000;
/** How often a commit is retried that met another program's lock. */
const LOCK_RETRY_MS = 200;
/** Cycles after which rows that are always rejected are taken for too old: some three minutes with the default backoff. */
const MAX_OLDEST_REJECTIONS = 4;
/** How long the request in flight may take to end after a stop. */
const STOP_GRACE_MS = 4_000;

/**
 * The states of the upload, and what leads from one to the next:
 *
 *   waiting   until the next multiple of the interval, or until a probe finds the receiver back → cycling
 *   cycling   sends batch after batch: first the rows that are newer than the last cycle, then the oldest
 *               nothing left, or a failure   → waiting
 *               the interval is over         → the next cycle at once, so that old rows never delay the newest ones
 *               samples were rejected        → waiting, for the backoff alone
 *
 * A cycle in which the receiver rejects the newest rows and accepts nothing is followed by one that begins with the oldest.
 * A receiver may require the samples of a series in the order of their times. For such a receiver a cycle sends the oldest
 * first, except after some cycles in which it rejected them: if it accepts the newest, only the others are too old.
 *
 * What was accepted is committed at the end of a cycle, every second, and at the first failure. While another program has
 * the database locked, it stays in memory, uploads go on, and the commit is retried several times a second.
 */
export class UploadLoop {
  readonly #options: UploadLoopOptions;
  /** The highest id that a cycle has seen. */
  #top: number | undefined;
  /** Whether the receiver rejected what the last cycle sent last. */
  #isRejected = false;
  /** Cycles in a row in which it rejected the oldest rows, and accepted none of them. */
  #oldestRejections = 0;
  /** Whether the last cycle began with the newest rows, and nothing was accepted. */
  #isNewestRejected = false;

  constructor(options: UploadLoopOptions) {
    this.#options = options;
  }

  /** Whether the loop makes progress: a slow request or an intended wait counts as progress, a hang does not. */
  get isLive(): boolean {
    return this.#options.liveness.isLive;
  }

  /**
   * Runs until `stop` is aborted or the database file is replaced by another one. The request in flight is finished, or
   * abandoned after a grace period.
   */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, watch, transport, uploadIntervalMs, firstCycleInMs } = this.#options;
    const abandon = abortAfterGrace(clock, stop, STOP_GRACE_MS);
    const origin = clock.monotonic() + firstCycleInMs;
    // The first request may have been one for the time.
    const firstInMs = Math.max(firstCycleInMs, transport.pause.backoffUntil - clock.monotonic());
    if (firstInMs > 0) await clock.sleep(firstInMs, stop);
    const elapsedIntervals = (): number => (clock.monotonic() - origin) / uploadIntervalMs;
    for (let interval = 0; !stop.aborted && !watch.isReplaced;) {
      const isInterrupted = await this.#cycleSafely(origin + (interval + 1) * uploadIntervalMs, stop, abandon);
      const isDue = isInterrupted || this.#isRejected;
      interval = isDue ? Math.floor(elapsedIntervals()) : Math.max(interval + 1, Math.ceil(elapsedIntervals()));
      const dueAt = isDue ? clock.monotonic() : origin + interval * uploadIntervalMs;
      const pausedUntil = transport.pause.backoffUntil;
      if (!isDue || pausedUntil > dueAt) await this.#wait(Math.max(dueAt, pausedUntil), stop);
    }
    if (!watch.isReplaced) await this.#commitLast();
  }

  /** Commits before the program ends, and waits for a lock as long as for a request in flight. */
  async #commitLast(): Promise<void> {
    const { acknowledgements, clock, logger, sender } = this.#options;
    sender.commit();
    await this.#commitWhenUnlocked(clock.monotonic() + STOP_GRACE_MS);
    if (acknowledgements.lockedForMs !== undefined)
      logger.warn('acknowledgements not stored, will resend samples', { count: acknowledgements.countUncommitted() });
  }

  /** Retries a commit that met a lock, until a time or until `stop` is aborted. */
  async #commitWhenUnlocked(untilMonotonicMs: number, stop?: AbortSignal): Promise<void> {
    const { acknowledgements, clock, sender } = this.#options;
    while (acknowledgements.lockedForMs !== undefined && clock.monotonic() < untilMonotonicMs && !stop?.aborted) {
      await clock.sleep(Math.min(LOCK_RETRY_MS, untilMonotonicMs - clock.monotonic()), stop);
      sender.commit();
    }
  }

  async #wait(untilMonotonicMs: number, stop: AbortSignal): Promise<void> {
    const { clock, sender, probe, transport, liveness } = this.#options;
    liveness.waits(untilMonotonicMs - clock.monotonic(), WAIT_SLACK_MS);
    await this.#commitWhenUnlocked(untilMonotonicMs, stop)
      .then(() => this.#confirm(untilMonotonicMs - clock.monotonic(), stop))
      .catch((error: unknown) => sender.reportFault(error));
    await probe.wait(untilMonotonicMs, stop, transport.pause);
    liveness.progress();
  }

  /** Before a long wait, requests one more response, which confirms what this cycle delivered. */
  async #confirm(waitMs: number, stop: AbortSignal): Promise<void> {
    const { acknowledgements, clock, sender, receiverCheck, replayWindowMs } = this.#options;
    if (!acknowledgements.hasProvisional || waitMs < Math.max(LONG_WAIT_MS, 2 * replayWindowMs)) return;
    await clock.sleep(replayWindowMs, stop);
    const response = stop.aborted ? undefined : await receiverCheck.confirmConnection(stop);
    if (response?.isReceiver === true) acknowledgements.recordResponse(response);
    sender.commit();
  }

  /** Runs a cycle and reports its error: a full disk or a thread that died must not end the uploads. */
  async #cycleSafely(untilMonotonicMs: number, stop: AbortSignal, abandon: AbortSignal): Promise<boolean> {
    try {
      return await this.#cycle(untilMonotonicMs, stop, abandon);
    } catch (error) {
      const { sender, watch } = this.#options;
      // Of files that were replaced: the database is opened again, and this is over.
      if (watch.isReplaced) return false;
      if (!abandon.aborted) sender.reportFault(error);
      watch.reportCorruption(error);
      return false;
    }
  }

  /** Sends what is pending; returns true if the interval was over before all of it was sent. */
  async #cycle(untilMonotonicMs: number, stop: AbortSignal, abandon: AbortSignal): Promise<boolean> {
    const { acknowledgements, backlog, clock, sender, rateLimiter, liveness, tooOld } = this.#options;
    if (acknowledgements.isFull) sender.commit();
    if (acknowledgements.isFull) throw toLockError(this.#options.dbPath);
    const newestAbove = this.#newestAbove();
    const isNewestFirst = newestAbove !== undefined && newestAbove > 0;
    const upcoming = new BatchPrefetcher(this.#options, newestAbove);
    this.#top = backlog.readLastId();
    sender.beginCycle();
    const startedAt = clock.monotonic();
    const sent: (SentBatch & { readonly isNewest: boolean })[] = [];
    let isInterrupted = false;
    for (let batch = await upcoming.next(); batch !== undefined; batch = await upcoming.next()) {
      if (!batch.isNewest && !(await rateLimiter.wait(untilMonotonicMs, stop))) break;
      const result = await sender.send(batch, stop, abandon);
      liveness.progress();
      sent.push({ ...result, isNewest: isNewestFirst && batch.isNewest });
      if (!batch.isNewest) rateLimiter.spend(result.bytesSent);
      if (result.isOver || acknowledgements.isFull) break;
      isInterrupted = clock.monotonic() >= untilMonotonicMs;
      if (isInterrupted) break;
    }
    this.#isRejected = sent.at(-1)?.isRejected ?? false;
    this.#isNewestRejected = this.#isRejected && sent[0]!.isNewest && sent.every(({ accepted }) => accepted === 0);
    this.#countOldestRejections(sent.filter(({ isNewest }) => !isNewest));
    sender.commit();
    tooOld.logRejected();
    this.#logSummary(sent, startedAt);
    return isInterrupted && !stop.aborted;
  }

  /** Returns the id above which rows are sent before all others, 0 for all rows; undefined if the oldest are sent first. */
  #newestAbove(): number | undefined {
    const { backlog, chunkSize, clock, sendsOldestFirst = false, uploadIntervalMs } = this.#options;
    const isOldestDue = sendsOldestFirst && this.#oldestRejections < MAX_OLDEST_REJECTIONS;
    // Without a backlog there is no order to keep, and nothing that the rate limit is for.
    if (!chunkSize.isBacklog(backlog.readBooks().pending)) return 0;
    if (this.#isNewestRejected || isOldestDue) return undefined;
    return this.#top ?? backlog.findLastIdBefore(clock.now() - uploadIntervalMs);
  }

  #countOldestRejections(oldest: readonly SentBatch[]): void {
    if (oldest.some(({ accepted }) => accepted > 0)) this.#oldestRejections = 0;
    else if (oldest.at(-1)?.isRejected === true) this.#oldestRejections += 1;
  }

  /** Logs one line per cycle that delivered something; each chunk is a line at debug. */
  #logSummary(sent: readonly SentBatch[], startedAt: number): void {
    const { logger, clock } = this.#options;
    const sum = (of: (each: SentBatch) => number): number => sent.reduce((total, each) => total + of(each), 0);
    const count = sum(({ accepted }) => accepted);
    if (count === 0) return;
    logger.info('uploaded', {
      batch_id: sent.at(-1)?.batchId,
      batches: sent.length,
      chunks: sum(({ chunks }) => chunks),
      count,
      bytes_sent: sum(({ bytesSent }) => bytesSent),
      duration_ms: Math.round(clock.monotonic() - startedAt),
    });
  }
}

/** Returns a signal that is aborted `graceMs` after `stop`. */
function abortAfterGrace(clock: Clock, stop: AbortSignal, graceMs: number): AbortSignal {
  const controller = new AbortController();
  stop.addEventListener('abort', () => void clock.sleep(graceMs).then(() => controller.abort()), { once: true });
  return controller.signal;
}
