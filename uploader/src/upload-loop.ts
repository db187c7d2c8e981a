import { v7 as timeOrderedUuid } from 'uuid';

import type { Clock } from '@thugshells/shared/clock.js';
import { errorFields, type Logger } from '@thugshells/shared/logger.js';

import type { Acknowledgements } from './acknowledgements.js';
import type { Backlog } from './backlog.js';
import type { Chunk } from './encoder.js';
import type { EncoderPool } from './encoder-pool.js';
import { rangesOf } from './id-ranges.js';
import { bisect } from './quarantine.js';
import type { ReceiverState } from './receiver-state.js';
import type { Rejection } from './settled.js';
import type { Outcome, Pinger, Post, Transport } from './transport.js';

export interface UploadLoopOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly backlog: Backlog;
  readonly acknowledgements: Acknowledgements;
  readonly encoder: EncoderPool;
  readonly transport: Transport;
  readonly pinger: Pinger;
  readonly receiver: ReceiverState;
  readonly uploadIntervalMs: number;
  readonly replayWindowMs: number;
  readonly batchMetrics: number;
  readonly chunkMetrics: number;
}

/** One batch on its way: what the summary line and the checkpoints need. */
interface Pass {
  readonly batchId: string;
  readonly startedAt: number;
  chunkIndex: number;
  accepted: number;
  bytesSent: number;
}

/** A chunk that was put aside. */
interface Refused {
  readonly chunk: Chunk;
  readonly post: Post;
  readonly receiverTakesSamples: boolean;
}

/** What was accepted is committed at least this often, so that a kill re-sends no more than that. */
const COMMIT_INTERVAL_MS = 1_000;
/**
 * VictoriaMetrics closes a connection that is idle for about two minutes. With longer waits between two passes nothing
 * would ever be confirmed by the next one, so a request without a body does it.
 */
const LONG_WAIT_MS = 60_000;
/** A post, its timeout and the longest wait that a receiver can ask for are over by then. */
const STALLED_AFTER_MS = 30 * 60_000;
/** How late a wait may end on a busy board. */
const WAIT_SLACK_MS = 60_000;
/** How long the request in flight may take to end after a stop. */
const STOP_GRACE_MS = 4_000;

/**
 * The states of the upload, and what leads from one to the next:
 *
 *   waiting  until the next multiple of the interval → reading
 *   reading  a batch: the oldest rows not settled; none → waiting; else → sending
 *   sending  its chunks, one after the other. A chunk is
 *              delivered, or partly so   → what was taken is acknowledged, next chunk
 *              rejected                  → put aside, next chunk
 *              retry (tries exhausted)   → the pass ends, its rows stay pending → waiting
 *              hold                      → the same; only health tells them apart
 *            all chunks tried            → blaming, if some were put aside; else → reading
 *   blaming  bisects the chunks put aside, while the receiver takes others → reading
 *
 * What was accepted is committed at the end of a pass, every second, and at the first trouble.
 */
export class UploadLoop {
  readonly #options: UploadLoopOptions;
  #committedAt = 0;
  /** The monotonic time by which the loop must have come further. */
  #dueAt: number;

  constructor(options: UploadLoopOptions) {
    this.#options = options;
    this.#dueAt = options.clock.monotonic() + STALLED_AFTER_MS;
  }

  /** Whether the loop turns: a post that is slow or a wait that was chosen is progress, a hang is not. */
  get isLive(): boolean {
    return this.#options.clock.monotonic() <= this.#dueAt;
  }

  /** Runs until `stop`; the request in flight is finished, or abandoned after a grace. */
  async run(stop: AbortSignal): Promise<void> {
    const { clock, uploadIntervalMs: intervalMs } = this.#options;
    const abandon = abortedAfter(clock, stop, STOP_GRACE_MS);
    const origin = clock.monotonic();
    for (let turn = 0; !stop.aborted; ) {
      const more = await this.#passSafely(stop, abandon);
      if (more) continue;
      turn = Math.max(turn + 1, Math.ceil((clock.monotonic() - origin) / intervalMs));
      await this.#wait(origin + turn * intervalMs, stop);
    }
    this.#commit();
  }

  async #wait(untilMonotonicMs: number, stop: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    this.#dueAt = untilMonotonicMs + WAIT_SLACK_MS;
    await this.#confirm(untilMonotonicMs - clock.monotonic(), stop).catch((error: unknown) => this.#tellFault(error));
    await clock.sleep(untilMonotonicMs - clock.monotonic(), stop);
    this.#dueAt = clock.monotonic() + STALLED_AFTER_MS;
  }

  /** Before a long wait: lets one more answer confirm what this pass delivered. */
  async #confirm(waitMs: number, stop: AbortSignal): Promise<void> {
    const { acknowledgements, clock, pinger, replayWindowMs } = this.#options;
    if (!acknowledgements.hasProvisional || waitMs < Math.max(LONG_WAIT_MS, 2 * replayWindowMs)) return;
    await clock.sleep(replayWindowMs, stop);
    if (!stop.aborted) acknowledgements.answered(await pinger.ping(stop), false);
    this.#commit();
  }

  /** A fault in one pass (a disk that is full, a thread that died) must not end the uploads. */
  async #passSafely(stop: AbortSignal, abandon: AbortSignal): Promise<boolean> {
    try {
      return await this.#pass(stop, abandon);
    } catch (error) {
      if (!abandon.aborted) this.#tellFault(error);
      return false;
    }
  }

  #tellFault(error: unknown): void {
    const { logger, receiver } = this.#options;
    if (receiver.failed('fault', String(error))) logger.error('an upload pass failed', errorFields(error));
  }

  /** Sends one batch; true where there may be more to send at once. */
  async #pass(stop: AbortSignal, abandon: AbortSignal): Promise<boolean> {
    const { backlog, acknowledgements, encoder, clock, batchMetrics, chunkMetrics } = this.#options;
    const batch = backlog.next(batchMetrics, acknowledgements.inHand());
    if (batch === undefined) {
      this.#commit();
      return false;
    }
    const { chunks, refused } = await encoder.encode(batch.ranges, chunkMetrics);
    acknowledgements.reject(refused);
    this.#committedAt = clock.monotonic();
    const pass = { batchId: timeOrderedUuid(), startedAt: clock.monotonic(), chunkIndex: 0, accepted: 0, bytesSent: 0 };
    const goesOn = await this.#send(chunks, pass, stop, abandon);
    this.#commit();
    this.#summarise(pass, refused.length);
    return goesOn && batch.count >= batchMetrics;
  }

  async #send(chunks: readonly Chunk[], pass: Pass, stop: AbortSignal, abandon: AbortSignal): Promise<boolean> {
    const putAside: { readonly chunk: Chunk; readonly post: Post; readonly acceptedBefore: number }[] = [];
    for (const chunk of chunks) {
      if (stop.aborted) return false;
      const post = await this.#post(chunk, pass, abandon);
      if (post.outcome.kind === 'rejected') putAside.push({ chunk, post, acceptedBefore: pass.accepted });
      else if (this.#isTrouble(post)) return false;
    }
    for (const { chunk, post, acceptedBefore } of putAside) {
      // Only what was taken after the refusal shows that it was not the receiver's.
      const receiverTakesSamples = pass.accepted > acceptedBefore;
      if (stop.aborted || !(await this.#blame({ chunk, post, receiverTakesSamples }, pass, abandon))) return false;
    }
    return true;
  }

  async #post(chunk: Chunk, pass: Pass, abandon: AbortSignal): Promise<Post> {
    const { transport, acknowledgements, clock, receiver } = this.#options;
    const post = await transport.post(chunk, abandon);
    this.#dueAt = clock.monotonic() + STALLED_AFTER_MS;
    pass.bytesSent += post.bytesSent;
    const taken = takenBy(chunk, post.outcome);
    if (taken === undefined) return post;
    receiver.answered();
    const { batchId } = pass;
    const ranges = rangesOf(taken);
    acknowledgements.accept({ batchId, chunkIndex: pass.chunkIndex++, ranges, count: taken.length, connection: post.connection });
    this.#quarantine(rejectionsOf(chunk, post));
    acknowledgements.answered(post.connection, post.closing);
    pass.accepted += taken.length;
    if (clock.monotonic() - this.#committedAt >= COMMIT_INTERVAL_MS) this.#commit();
    return post;
  }

  /** Tells health and the log of an outcome that ends the pass. */
  #isTrouble({ outcome, errorCode, status }: Post): boolean {
    if (outcome.kind !== 'retry' && outcome.kind !== 'hold') return false;
    this.#commit();
    this.#tellTrouble(outcome.kind, outcome.reason, { error_code: errorCode, http_status: status });
    return true;
  }

  #tellTrouble(kind: 'retry' | 'hold', reason: string, fields: Record<string, unknown>): void {
    const { receiver, logger } = this.#options;
    if (!receiver.failed(kind === 'hold' ? 'held' : 'away', reason)) return;
    const line = { error: reason, ...fields };
    if (kind === 'hold') logger.error('uploads are held: the receiver refuses them', line);
    else logger.warn('the receiver does not take samples; they wait', line);
  }

  /** Quarantines the samples for which a chunk was refused; false where the pass has to end. */
  async #blame(refused: Refused, pass: Pass, abandon: AbortSignal): Promise<boolean> {
    const { encoder } = this.#options;
    const result = await bisect(refused.chunk, refused.post, {
      encode: async (ids) => (await encoder.encode(rangesOf(ids), ids.length)).chunks[0],
      post: (part) => this.#post(part, pass, abandon),
      receiverTakesSamples: refused.receiverTakesSamples,
    });
    if (result.kind === 'receiver') {
      this.#tellTrouble('hold', `every sample is refused: ${result.reason}`, { http_status: refused.post.status });
      return false;
    }
    this.#quarantine(result.rejections);
    return result.kind === 'found' || !this.#isTrouble(result.post);
  }

  #quarantine(rejections: readonly Rejection[]): void {
    const { acknowledgements, logger } = this.#options;
    acknowledgements.reject(rejections);
    for (const { id, status, reason } of rejections) {
      logger.warn('sample quarantined', { sample_id: id, http_status: status, error: reason });
    }
  }

  #commit(): void {
    this.#options.acknowledgements.commit();
    this.#committedAt = this.#options.clock.monotonic();
  }

  #summarise(pass: Pass, refused: number): void {
    const { logger, receiver, clock } = this.#options;
    if (refused > 0) logger.warn('stored samples that no receiver would keep were rejected', { count: refused });
    if (pass.accepted === 0) return;
    receiver.delivered({ atMs: clock.now(), count: pass.accepted, bytesSent: pass.bytesSent });
    logger.info('uploaded', {
      batch_id: pass.batchId,
      count: pass.accepted,
      chunks: pass.chunkIndex,
      bytes_sent: pass.bytesSent,
      duration_ms: Math.round(clock.monotonic() - pass.startedAt),
    });
  }
}

/** Ids of the samples that an outcome says were taken; undefined where it says that none were. */
function takenBy(chunk: Chunk, outcome: Outcome): Float64Array | undefined {
  if (outcome.kind === 'delivered') return chunk.ids;
  if (outcome.kind !== 'partial') return undefined;
  if (outcome.rejected.length === 0) return chunk.ids.slice(0, outcome.accepted);
  const rejected = new Set(outcome.rejected.map(({ index }) => index));
  return chunk.ids.filter((_, index) => !rejected.has(index));
}

function rejectionsOf(chunk: Chunk, { outcome, status }: Post): Rejection[] {
  if (outcome.kind !== 'partial') return [];
  return outcome.rejected.map(({ index, reason }) => ({ id: chunk.ids[index]!, status, reason }));
}

function abortedAfter(clock: Clock, stop: AbortSignal, graceMs: number): AbortSignal {
  const controller = new AbortController();
  stop.addEventListener('abort', () => void clock.sleep(graceMs).then(() => controller.abort()), { once: true });
  return controller.signal;
}
