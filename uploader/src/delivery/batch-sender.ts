// Longer than a file should be: both ways to search a rejected chunk share the state of its batch.
import { v7 as timeOrderedUuid } from 'uuid';

import { toRanges } from '@thugshells/shared/database/id-ranges.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields } from '@thugshells/shared/logging/logger.ts';

import type { Chunk } from '../chunk.ts';
import type { BatchEncoder } from '../encoding/batch-encoder.ts';
import type { EncodedBatch } from '../encoding/encoder.ts';
import { releaseMemory } from '../release-memory.ts';
import type { SendResult } from '../transport/transport.ts';
import { bisect, requestsForOneInvalid } from './bisect.ts';
import { ChunkSender, type BatchProgress, type ChunkSenderOptions } from './chunk-sender.ts';
import { halve, RejectionSearch } from './rejection-search.ts';
import type { TooOldSamples } from './too-old-samples.ts';

export interface BatchSenderOptions extends ChunkSenderOptions {
  readonly encoder: Pick<BatchEncoder, 'encode'>;
  /** For receivers that reject a sample once they have a newer one of its series. */
  readonly sendsOldestFirst: boolean;
  readonly tooOld: Pick<TooOldSamples, 'take'>;
}

/** The result of sending one batch. */
export interface SentBatch {
  readonly batchId: string;
  readonly accepted: number;
  readonly chunks: number;
  readonly bytesSent: number;
  /** Nothing more is to be sent now: the receiver is away or rejects everything, or the program stops. */
  readonly isOver: boolean;
  /** The receiver rejected the samples that were sent last: what follows is the next step of the search. */
  readonly isRejected: boolean;
  /** It rejected every part of a chunk that was tried: it may accept others. */
  readonly isHopeless: boolean;
}

/** What is left to be sent of a batch while it is sent. */
interface BatchRest {
  /** Chunks without samples of the chunk that is searched. */
  others: Chunk[];
  /** Chunks with samples of it. */
  searched: Chunk[];
  /** Whether samples of it belong to the batch. */
  hasSearched: boolean;
  /** Whether that chunk, or a part of it, was rejected in this batch. */
  isSearchedRejected: boolean;
  /** Chunks that were rejected by a receiver that is not in doubt. */
  readonly rejected: RejectedChunk[];
}

interface RejectedChunk {
  readonly chunk: Chunk;
  readonly result: SendResult;
  readonly acceptedBefore: number;
}

/**
 * Sends the chunks of a batch, one after the other, and records the outcome of each:
 *
 *   delivered, partial           → what was accepted is acknowledged, next chunk
 *   rejected                     → searched: see below
 *   retry (attempts exhausted)   → over: the rows stay pending
 *   hold                         → over: the rows stay pending; health and the log differ from retry
 *
 * A receiver that has accepted samples is believed to reject a chunk for some of its samples: after the rest of the batch it is
 * bisected at once, for as many requests as one invalid sample could cost. A receiver is in doubt while it has accepted nothing
 * since the start, or since such a search ended without anything accepted. Then each attempt that the backoff allows sends
 * another chunk or a part of the rejected one (RejectionSearch), in this batch or a later one, until one is accepted. Where
 * nothing proves that the receiver accepts others after the rejection, no sample is quarantined.
 */
export class BatchSender {
  readonly #options: BatchSenderOptions;
  readonly #chunkSender: ChunkSender;
  /** The rejected chunk of which it is not known yet whether the samples are the cause. */
  #search: RejectionSearch | undefined;
  /** Whether all parts of the last one that was searched were rejected. */
  #isHopeless = false;
  /** Of parts of chunks that were too large. */
  #acceptedSize = Infinity;
  /** Rejections in a row. */
  #rejections = 0;
  /** Whether the receiver may be one that rejects everything. */
  #isInDoubt = true;
  /** Whether it has accepted anything since the last chunk of which it accepted nothing. */
  #hasAccepted = false;

  constructor(options: BatchSenderOptions) {
    this.#options = options;
    this.#chunkSender = new ChunkSender(options);
  }

  /** Sends a batch. @param abandon also ends the request in flight, which `stop` lets finish */
  async send(batch: EncodedBatch, stop: AbortSignal, abandon: AbortSignal): Promise<SentBatch> {
    const { receiver, clock } = this.#options;
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
    const goesOn = await this.#sendAll(batch.chunks, progress);
    const { batchId, accepted, chunkIndex: chunks, bytesSent, isRejected } = progress;
    const offered = batch.chunks.reduce((sum, { count }) => sum + count, 0);
    if (accepted > 0)
      receiver.delivered({ atMs: clock.now(), count: accepted, bytesSent, isPartial: accepted < offered });
    const isHopeless = isRejected && this.#isHopeless;
    return { batchId, accepted, chunks, bytesSent, isOver: !goesOn, isRejected, isHopeless };
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

  async #sendAll(chunks: readonly Chunk[], progress: BatchProgress): Promise<boolean> {
    const isSearched = (chunk: Chunk): boolean => this.#search?.overlaps(chunk) === true;
    const searched = chunks.filter(isSearched);
    const others = chunks.filter((chunk) => !isSearched(chunk));
    const rest: BatchRest = {
      others,
      searched,
      hasSearched: searched.length > 0,
      isSearchedRejected: false,
      rejected: [],
    };
    while (!progress.stop.aborted) {
      const search = rest.hasSearched ? this.#search : undefined;
      const isPart = search !== undefined && (search.isNext || rest.others.length === 0);
      const goesOn = isPart ? await this.#sendPart(search, rest, progress) : await this.#sendNext(rest, progress);
      if (goesOn !== undefined) return goesOn;
    }
    return false;
  }

  /** Sends the next chunk that is not searched; returns whether the next batch may follow, undefined if this one goes on. */
  async #sendNext(rest: BatchRest, progress: BatchProgress): Promise<boolean | undefined> {
    const chunk = rest.others.shift();
    if (chunk === undefined) return this.#bisectRejected(rest, progress);
    const result = await this.#chunkSender.send(chunk, progress);
    if (result.outcome.kind === 'rejected' && !this.#isInDoubt) {
      rest.rejected.push({ chunk, result, acceptedBefore: progress.accepted });
      return undefined;
    }
    if (result.outcome.kind === 'rejected') {
      // A search that no part was sent for since the last chunk was rejected is about rows that are sent no more.
      if (this.#search === undefined || this.#search.isNext) this.#beginSearch(chunk, result, rest);
      else this.#search.isNext = true;
      return this.#maySendAnother(result, progress) ? undefined : false;
    }
    if (this.#reportFailure(result)) return false;
    this.#noteAccepted();
    if (result.outcome.kind === 'delivered') [chunk.body, chunk.ids].forEach(releaseMemory);
    if (!rest.isSearchedRejected) {
      rest.others.push(...rest.searched.splice(0));
      this.#endSearch(rest);
      return undefined;
    }
    return (await this.#bisectLeft(this.#search!, rest, progress)) ? undefined : false;
  }

  #beginSearch(chunk: Chunk, rejection: SendResult, rest: BatchRest): void {
    const options = { keepsOrder: this.#options.sendsOldestFirst, acceptedSize: this.#acceptedSize };
    this.#search = new RejectionSearch(chunk, rejection, options);
    Object.assign(rest, { searched: [], hasSearched: true, isSearchedRejected: true });
  }

  /** Sends the next part of the chunk that is searched; returns what #sendNext() does. */
  async #sendPart(search: RejectionSearch, rest: BatchRest, progress: BatchProgress): Promise<boolean | undefined> {
    const ids = search.nextPart();
    if (ids === undefined) {
      this.#isHopeless = true;
      this.#endSearch(rest);
      rest.others.unshift(...rest.searched);
    }
    const part = ids && (await this.#encode(ids));
    if (part === undefined) return undefined;
    const result = await this.#chunkSender.send(part, progress);
    if (result.outcome.kind === 'rejected') {
      search.isNext = false;
      rest.isSearchedRejected = true;
      this.#isHopeless ||= search.isExhausted;
      return this.#maySendAnother(result, progress) ? undefined : false;
    }
    if (this.#reportFailure(result)) return false;
    this.#noteAccepted();
    if (search.isTooLarge) this.#acceptedSize = part.count;
    return (await this.#bisectLeft(search, rest, progress, ids)) ? undefined : false;
  }

  #endSearch(rest: BatchRest): void {
    this.#search = undefined;
    Object.assign(rest, { hasSearched: false, isSearchedRejected: false });
  }

  #noteAccepted(): void {
    this.#rejections = 0;
    this.#isInDoubt = false;
    this.#hasAccepted = true;
  }

  /**
   * Searches the chunks that a receiver has rejected which had accepted others: at once, as long as a search for one invalid
   * sample takes. Returns whether the next batch may follow.
   */
  async #bisectRejected({ rejected }: BatchRest, progress: BatchProgress): Promise<boolean> {
    for (const { chunk, result, acceptedBefore } of rejected) {
      if (progress.stop.aborted) return false;
      // Only samples accepted after the rejection prove that the receiver accepts any.
      const isProven = progress.accepted > acceptedBefore;
      const maxUnproven = isProven ? undefined : requestsForOneInvalid(chunk.count);
      const bisected = await this.#bisect(halve(chunk.ids), progress, maxUnproven);
      if (bisected === 'unproven') {
        [this.#isInDoubt, this.#isHopeless, this.#hasAccepted] = [!this.#hasAccepted, true, false];
        this.#maySendAnother(result, progress);
        return false;
      }
      if (bisected === 'interrupted') return false;
    }
    return true;
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

  /** Quarantines the samples for which a chunk was rejected; returns false if nothing more is to be sent. */
  async #bisectLeft(
    search: RejectionSearch,
    rest: BatchRest,
    progress: BatchProgress,
    accepted?: Float64Array,
  ): Promise<boolean> {
    this.#endSearch(rest);
    this.#isHopeless = false;
    if ((await this.#bisect(search.listLeft(accepted), progress)) === 'interrupted') return false;
    // Of a series that is in both, these are older than what is left.
    for (const chunk of rest.searched.splice(0).reverse()) {
      const left = await this.#encode(search.listOthers(chunk));
      if (left !== undefined) rest.others.unshift(left);
    }
    return true;
  }

  async #bisect(parts: readonly Float64Array[], progress: BatchProgress, maxUnproven?: number) {
    const bisected = await bisect(parts, {
      encode: (ids) => this.#encode(ids),
      send: async (part) => {
        const result = await this.#chunkSender.send(part, progress);
        if (result.outcome.kind === 'delivered' || result.outcome.kind === 'partial') this.#noteAccepted();
        return result;
      },
      maxUnproven,
    });
    if (bisected.kind === 'unproven') return bisected.kind;
    this.#chunkSender.quarantine(bisected.rejections);
    if (bisected.kind === 'interrupted') this.#reportFailure(bisected.result);
    return bisected.kind;
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
