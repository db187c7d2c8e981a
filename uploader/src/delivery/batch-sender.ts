import { v7 as timeOrderedUuid } from 'uuid';

import { toRanges } from '@thugshells/shared/database/id-ranges.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';

import type { Chunk } from '../chunk.ts';
import type { BatchEncoder } from '../encoding/batch-encoder.ts';
import type { EncodedBatch } from '../encoding/encoder.ts';
import { releaseMemory } from '../release-memory.ts';
import type { SendResult } from '../transport/transport.ts';
import { bisect } from './bisect.ts';
import { ChunkSender, type BatchProgress, type ChunkSenderOptions } from './chunk-sender.ts';
import { RejectedSeries } from './rejected-series.ts';
import type { TooOldSamples } from './too-old-samples.ts';

export interface BatchSenderOptions extends ChunkSenderOptions {
  readonly encoder: Pick<BatchEncoder, 'encode'>;
  readonly tooOld: Pick<TooOldSamples, 'take'>;
  /** For receivers that may reject a sample once they have a newer one of its series. */
  readonly sendsOldestFirst?: boolean;
}

/** The result of sending one batch. */
export interface SentBatch {
  readonly batchId: string;
  readonly accepted: number;
  readonly chunks: number;
  readonly bytesSent: number;
  /** Nothing more is to be sent now: the receiver is away or rejects too much, or the program stops. */
  readonly isOver: boolean;
  /** The receiver rejected what was sent last, and may reject everything. */
  readonly isRejected: boolean;
}

/** How far the next place is from the last one: by the golden ratio no two of a row of places are close. */
const PLACE_STEP = (Math.sqrt(5) - 1) / 2;

/**
 * Sends the chunks of a batch, one after the other, and records the outcome of each:
 *
 *   delivered, partial           → what was accepted is acknowledged, next chunk
 *   rejected                     → in doubt: the receiver may reject everything, or some samples
 *   retry (attempts exhausted)   → over: the rows stay pending
 *   hold                         → over: the rows stay pending; health and the log differ from retry
 *
 * In doubt, one sample of the batch is sent, the first of a series:
 *
 *   accepted                     → next chunk; the one that was rejected is bisected, in this batch or a later one
 *   rejected                     → over: the next attempt that the backoff allows sends one of another series
 *
 * So a receiver that rejects everything gets two requests and then those of the backoff, and none of its samples are
 * quarantined. A series that is always rejected is not asked twice, so that it delays no others.
 */
export class BatchSender {
  readonly #options: BatchSenderOptions;
  readonly #chunkSender: ChunkSender;
  /** Rejections since something was accepted. While there are any, it is in doubt whether the receiver accepts samples. */
  #rejections = 0;
  readonly #rejectedSeries = new RejectedSeries();
  /** Ids of the samples that were rejected together last, until they are bisected, once something is accepted. */
  #suspects = new Set<number>();
  /** Whether something was accepted that shows that the receiver accepts samples like those at hand. */
  #isAccepting = false;
  /** Where the series stands of which a sample is sent in doubt: a share of those that it may be. */
  #place = PLACE_STEP;

  constructor(options: BatchSenderOptions) {
    this.#options = options;
    this.#chunkSender = new ChunkSender(options);
  }

  /** Forgets what was accepted before: the receiver may have changed since. */
  beginCycle(): void {
    this.#isAccepting = false;
  }

  /** Sends a batch. @param abandon also ends the request in flight, which `stop` lets finish */
  async send(batch: EncodedBatch, stop: AbortSignal, abandon: AbortSignal): Promise<SentBatch> {
    const { receiver, clock, sendsOldestFirst = false } = this.#options;
    // Where the order matters, newer samples that are accepted show nothing of older ones.
    if (sendsOldestFirst) this.#isAccepting = false;
    this.#refuse(batch);
    const progress = {
      batchId: timeOrderedUuid(),
      stop,
      abandon,
      chunkIndex: 0,
      accepted: 0,
      bytesSent: 0,
      isRejected: false,
    };
    const goesOn = await this.#sendAll([...batch.chunks], progress);
    const { batchId, accepted, chunkIndex: chunks, bytesSent, isRejected } = progress;
    const offered = batch.chunks.reduce((sum, { count }) => sum + count, 0);
    if (accepted > 0)
      receiver.delivered({ atMs: clock.now(), count: accepted, bytesSent, isPartial: accepted < offered });
    return { batchId, accepted, chunks, bytesSent, isOver: !goesOn, isRejected };
  }

  /** Commits what has been accepted; while the database is locked, it stays in memory and is committed later. */
  commit(): void {
    this.#chunkSender.commit();
  }

  /** Reports an error of this device, such as a full disk, to health and once to the log. */
  reportFault(error: unknown): void {
    const { logger, receiver } = this.#options;
    if (receiver.failed('fault', toErrorMessage(error))) logger.error('upload cycle failed', toErrorFields(error));
  }

  /** Settles the rows that are in no chunk. No response follows a batch without chunks, so that is committed at once. */
  #refuse({ refused, chunks }: EncodedBatch): void {
    const { acknowledgements, logger, tooOld } = this.#options;
    const invalid = tooOld.take(refused);
    acknowledgements.reject(invalid);
    const [first] = invalid;
    if (first !== undefined)
      logger.warn('rejected invalid stored samples', { count: invalid.length, reason: first.reason });
    if (chunks.length === 0) this.commit();
  }

  /** Sends the chunks that are left; returns whether the next batch may follow. */
  async #sendAll(left: Chunk[], progress: BatchProgress): Promise<boolean> {
    while (left.length > 0) {
      if (progress.stop.aborted) return false;
      if (this.#rejections > 0 && !(await this.#sendOne(left, progress))) return false;
      const [chunk] = left;
      if (chunk === undefined) return true;
      const goesOn = this.#isSuspect(chunk)
        ? await this.#bisectNext(left, progress)
        : await this.#sendNext(left, progress);
      if (!goesOn) return false;
    }
    return true;
  }

  /** Whether a chunk has samples that were rejected before something was accepted. */
  #isSuspect({ ids }: Chunk): boolean {
    return this.#isAccepting && this.#suspects.size > 0 && ids.some((id) => this.#suspects.has(id));
  }

  /** Sends the next chunk; returns whether another request may follow. */
  async #sendNext(left: Chunk[], progress: BatchProgress): Promise<boolean> {
    const chunk = left[0]!;
    const result = await this.#send(chunk, progress);
    if (result.outcome.kind === 'rejected') {
      this.#suspects = new Set(chunk.ids);
      return this.#maySendAnother(result, progress);
    }
    if (this.#reportFailure(result)) return false;
    if (result.outcome.kind === 'delivered') [chunk.body, chunk.ids].forEach(releaseMemory);
    left.shift();
    return true;
  }

  /** Sends the first sample of a series; returns whether it was accepted, and takes it out of its chunk then. */
  async #sendOne(left: Chunk[], progress: BatchProgress): Promise<boolean> {
    const others = this.#rejectedSeries.listOthers(left);
    const { seriesId, index, firstId } = others[Math.floor(this.#place * others.length)]!;
    const sample = await this.#encode(Float64Array.of(firstId));
    // It may have been deleted meanwhile.
    const result = sample && (await this.#send(sample, progress));
    if (result === undefined || this.#reportFailure(result)) return false;
    if (result.outcome.kind === 'rejected') {
      this.#rejectedSeries.add(seriesId);
      this.#place = (this.#place + PLACE_STEP) % 1;
      this.#maySendAnother(result, progress);
      return false;
    }
    const rest = await this.#encode(left[index]!.ids.filter((id) => id !== firstId));
    left.splice(index, 1, ...(rest === undefined ? [] : [rest]));
    return true;
  }

  async #send(chunk: Chunk, progress: BatchProgress): Promise<SendResult> {
    const result = await this.#chunkSender.send(chunk, progress);
    const { kind } = result.outcome;
    if (kind === 'delivered' || kind === 'partial') {
      this.#rejections = 0;
      this.#isAccepting = true;
    }
    if (kind === 'delivered') this.#rejectedSeries.forget(chunk);
    return result;
  }

  /** Records a rejection; returns whether another request may follow at once. */
  #maySendAnother({ outcome, status }: SendResult, progress: BatchProgress): boolean {
    const { transport, receiver } = this.#options;
    this.#rejections += 1;
    const waitMs = transport.refusedSamples();
    if (waitMs === 0) return true;
    progress.isRejected = true;
    this.commit();
    receiver.waitsFor(waitMs);
    const reason = 'reason' in outcome ? outcome.reason : outcome.kind;
    if (this.#rejections > 1) this.#logFailure('hold', `every sample is rejected: ${reason}`, { http_status: status });
    return false;
  }

  /** Quarantines the samples for which the next chunk is rejected; returns whether the following one may be sent. */
  async #bisectNext(left: Chunk[], progress: BatchProgress): Promise<boolean> {
    const chunk = left.shift()!;
    const bisected = await bisect(this.#rejectedSeries.part(chunk), {
      encode: (part) => this.#encode(part),
      send: (part) => this.#send(part, progress),
    });
    this.#chunkSender.quarantine(bisected.rejections);
    this.#rejectedSeries.addOf(chunk, bisected.rejections);
    // Where the order matters, nothing may overtake what is left of the chunk.
    if (bisected.kind === 'unfinished') return this.#options.sendsOldestFirst !== true;
    if (bisected.kind === 'interrupted') return !this.#reportFailure(bisected.result);
    for (const id of chunk.ids) this.#suspects.delete(id);
    return true;
  }

  async #encode(ids: Float64Array): Promise<Chunk | undefined> {
    const { encoder, transport } = this.#options;
    const all = { batchMetrics: ids.length, chunkMetrics: ids.length };
    const { chunks } = await encoder.encode({ ranges: toRanges(ids), format: transport.format, ...all });
    return chunks[0];
  }

  /** Reports an outcome after which nothing more is to be sent; returns whether it is one. */
  #reportFailure({ outcome, errorCode, status }: SendResult): boolean {
    if (outcome.kind !== 'retry' && outcome.kind !== 'hold') return false;
    this.commit();
    this.#logFailure(outcome.kind, outcome.reason, { error_code: errorCode, http_status: status });
    return true;
  }

  #logFailure(kind: 'retry' | 'hold', reason: string, fields: Record<string, unknown>): void {
    const { receiver, logger } = this.#options;
    if (!receiver.failed(kind === 'hold' ? 'held' : 'away', reason)) return;
    const line = { error: reason, ...fields };
    if (kind === 'hold') logger.error('uploads paused: rejected by receiver', line);
    else logger.warn('upload failed, will retry', line);
  }
}
