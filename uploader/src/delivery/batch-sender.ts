import { v7 as timeOrderedUuid } from 'uuid';

import type { Clock } from '@thugshells/shared/clock.ts';
import { toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { ChunkSize } from './chunk-size.ts';
import type { EncodedBatch } from '../encoding/encoder.ts';
import type { Chunk } from '../chunk.ts';
import type { BatchEncoder } from '../encoding/batch-encoder.ts';
import { releaseMemory } from '../release-memory.ts';
import { bisect } from './bisect.ts';
import type { ReceiverState } from './receiver-state.ts';
import type { TooOldSamples } from './too-old-samples.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendOutcome, SendResult, Transport } from '../transport/transport.ts';

export interface BatchSenderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acknowledgements: Acknowledgements;
  readonly chunkSize: ChunkSize;
  readonly encoder: Pick<BatchEncoder, 'encode'>;
  readonly transport: Transport;
  readonly receiver: ReceiverState;
  readonly receiverClock: Pick<ReceiverClock, 'learnFrom'>;
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
  /** The receiver responded, and rejected every sample. */
  readonly isRejected: boolean;
}

/** How far the sending of a batch has come. */
interface BatchProgress {
  readonly batchId: string;
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  chunkIndex: number;
  accepted: number;
  bytesSent: number;
  isRejected: boolean;
}

/** A rejected chunk, which is bisected after the last chunk of its batch. */
interface RejectedChunk {
  readonly chunk: Chunk;
  readonly result: SendResult;
  readonly receiverAcceptsSamples: boolean;
}

/** Longest time between an acceptance and its commit: a kill requeues no more than was accepted in it. */
const COMMIT_INTERVAL_MS = 1_000;
/** Error codes of a request that was too large for the link: it did not end before its timeout. */
const TIMEOUT_CODES: readonly (string | undefined)[] = ['ETIMEDOUT', 'ESOCKETTIMEDOUT'];
const PAYLOAD_TOO_LARGE = 413;
/** Quarantined samples of one bisection that are logged one by one; the command `quarantine` prints them all. */
const MAX_LOGGED_SAMPLES = 20;

/**
 * Sends the chunks of a batch, one after the other, and records the outcome of each:
 *
 *   delivered, partial           → what was accepted is acknowledged, next chunk
 *   rejected                     → next chunk; after the last one, bisected while the receiver accepts others
 *   retry (attempts exhausted)   → over: the rows stay pending
 *   hold                         → over: the rows stay pending; health and the log differ from retry
 */
export class BatchSender {
  readonly #options: BatchSenderOptions;
  /** When the oldest uncommitted acceptance came, by the monotonic clock. */
  #uncommittedSince: number | undefined;

  constructor(options: BatchSenderOptions) {
    this.#options = options;
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
    return { batchId, accepted, chunks, bytesSent, isOver: !goesOn, isRejected };
  }

  /** Commits what has been accepted; while the database is locked, it stays in memory and is committed later. */
  commit(): void {
    const { acknowledgements, clock } = this.#options;
    acknowledgements.commit();
    this.#uncommittedSince = acknowledgements.lockedForMs === undefined ? undefined : clock.monotonic();
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
    const rejected: { readonly chunk: Chunk; readonly result: SendResult; readonly acceptedBefore: number }[] = [];
    for (const chunk of chunks) {
      if (progress.stop.aborted) return false;
      const result = await this.#send(chunk, progress);
      if (result.outcome.kind === 'delivered') [chunk.body, chunk.ids].forEach(releaseMemory);
      else if (result.outcome.kind === 'rejected') rejected.push({ chunk, result, acceptedBefore: progress.accepted });
      else if (this.#reportFailure(result)) return false;
    }
    for (const { chunk, result, acceptedBefore } of rejected) {
      // Only samples accepted after the rejection prove that the receiver accepts any.
      const receiverAcceptsSamples = progress.accepted > acceptedBefore;
      if (progress.stop.aborted || !(await this.#bisect({ chunk, result, receiverAcceptsSamples }, progress)))
        return false;
    }
    return true;
  }

  async #send(chunk: Chunk, progress: BatchProgress): Promise<SendResult> {
    const { transport, acknowledgements, clock, receiver, receiverClock } = this.#options;
    const result = await transport.send(chunk, progress.abandon);
    progress.bytesSent += result.bytesSent;
    this.#learn(chunk, result);
    const acceptedSamples = findAccepted(chunk, result.outcome);
    if (acceptedSamples === undefined) return result;
    receiver.answered();
    // Only of a receiver that accepted samples: otherwise a portal or a proxy may have written the Date.
    receiverClock.learnFrom(result);
    const { connection, isClosing, idleBeforeMs, sentAtMs } = result;
    const chunkIndex = progress.chunkIndex++;
    const { ranges, count } = acceptedSamples;
    const accepted = {
      batchId: progress.batchId,
      chunkIndex,
      ranges,
      count,
      pendingRowsVersion: chunk.pendingRowsVersion,
    };
    acknowledgements.recordResponse({ connection, isClosing, idleBeforeMs, sentAtMs, accepted });
    this.#quarantine(toRejections(chunk, result));
    progress.accepted += count;
    this.#uncommittedSince ??= clock.monotonic();
    if (acknowledgements.isFull || clock.monotonic() - this.#uncommittedSince >= COMMIT_INTERVAL_MS) this.commit();
    return result;
  }

  #learn({ count: samples, body }: Chunk, { outcome, durationMs, errorCode, status }: SendResult): void {
    const { chunkSize } = this.#options;
    if (outcome.kind === 'delivered') chunkSize.accepted({ samples, bytes: body.length, durationMs });
    else if (TIMEOUT_CODES.includes(errorCode) || status === PAYLOAD_TOO_LARGE) chunkSize.failed('too-large', samples);
    else chunkSize.failed('refused', samples);
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

  /** Quarantines the samples for which a chunk was rejected; returns false if nothing more is to be sent. */
  async #bisect(rejected: RejectedChunk, progress: BatchProgress): Promise<boolean> {
    const { encoder, transport } = this.#options;
    const bisected = await bisect(rejected.chunk, rejected.result, {
      encode: async (ids) => {
        const { format } = transport;
        const all = { batchMetrics: ids.length, chunkMetrics: ids.length };
        const { chunks } = await encoder.encode({ ranges: toRanges(ids), format, ...all });
        return chunks[0];
      },
      send: (part) => this.#send(part, progress),
      receiverAcceptsSamples: rejected.receiverAcceptsSamples,
    });
    if (bisected.kind === 'receiver') {
      progress.isRejected = true;
      this.#logFailure('hold', `every sample is rejected: ${bisected.reason}`, { http_status: rejected.result.status });
      return false;
    }
    this.#quarantine(bisected.rejections);
    return bisected.kind === 'found' || !this.#reportFailure(bisected.result);
  }

  #quarantine(rejections: readonly RejectedRow[]): void {
    const { acknowledgements, logger } = this.#options;
    acknowledgements.reject(rejections);
    for (const { id, status, reason } of rejections.slice(0, MAX_LOGGED_SAMPLES)) {
      logger.warn('sample quarantined', { sample_id: id, http_status: status, error: reason });
    }
    if (rejections.length > MAX_LOGGED_SAMPLES)
      logger.warn('more samples quarantined', { count: rejections.length - MAX_LOGGED_SAMPLES });
  }
}

/** Returns the samples that were accepted; undefined if none were. */
function findAccepted(chunk: Chunk, outcome: SendOutcome): { ranges: readonly IdRange[]; count: number } | undefined {
  if (outcome.kind === 'delivered') return chunk;
  if (outcome.kind !== 'partial') return undefined;
  const rejected = new Set(outcome.rejected.map(({ index }) => index));
  const isAccepted = (index: number): boolean =>
    rejected.size === 0 ? index < outcome.accepted : !rejected.has(index);
  const ids = chunk.ids.filter((_, index) => isAccepted(index));
  return { ranges: toRanges(ids), count: ids.length };
}

function toRejections(chunk: Chunk, { outcome, status }: SendResult): RejectedRow[] {
  if (outcome.kind !== 'partial') return [];
  const { ids } = chunk;
  return outcome.rejected.map(({ index, reason }) => ({ id: ids[index]!, status, reason }));
}
