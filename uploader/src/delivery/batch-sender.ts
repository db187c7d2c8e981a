import { v7 as timeOrderedUuid } from 'uuid';

import type { Clock } from '@thugshells/shared/clock.ts';
import { toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';

import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { ChunkSize } from './chunk-size.ts';
import type { EncodedBatch } from '../encoding/encoder.ts';
import type { Chunk } from '../chunk.ts';
import type { EncoderPool } from '../encoding/encoder-pool.ts';
import { bisect } from './bisect.ts';
import type { ReceiverState } from './receiver-state.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { SendOutcome, SendResult, Transport } from '../transport/transport.ts';

export interface BatchSenderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acknowledgements: Acknowledgements;
  readonly chunkSize: ChunkSize;
  readonly encoder: EncoderPool;
  readonly transport: Transport;
  readonly receiver: ReceiverState;
  readonly receiverClock: Pick<ReceiverClock, 'learnFrom'>;
}

/** What the sending of one batch came to. */
export interface SentBatch {
  readonly batchId: string;
  readonly accepted: number;
  readonly chunks: number;
  readonly bytesSent: number;
  /** Nothing more is to be sent now: the receiver is away or refuses, or the program is told to stop. */
  readonly isOver: boolean;
  /** The receiver answered, and would have none of the samples. */
  readonly isRejected: boolean;
}

/** A batch on its way. */
interface BatchProgress {
  readonly batchId: string;
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  chunkIndex: number;
  accepted: number;
  bytesSent: number;
  isRefused: boolean;
}

/** A chunk that was put aside. */
interface RejectedChunk {
  readonly chunk: Chunk;
  readonly post: SendResult;
  readonly receiverTakesSamples: boolean;
}

/** What was accepted waits no longer than this for its commit, so that a kill re-sends no more than that. */
const COMMIT_INTERVAL_MS = 1_000;
/** Codes of a post that was too large for the link: it did not end in its time. */
const TIMEOUT_CODES: readonly (string | undefined)[] = ['ETIMEDOUT', 'ESOCKETTIMEDOUT'];
const PAYLOAD_TOO_LARGE = 413;
/** Samples of one search that the log names one by one; the command `quarantine` shows them all. */
const MOST_TOLD = 20;

/**
 * Sends the chunks of a batch, one after the other, and settles what came of each:
 *
 *   delivered, or partly so   → what was taken is acknowledged, next chunk
 *   rejected                  → put aside, next chunk; after the last one, bisected while the receiver takes others
 *   retry (tries exhausted)   → over: the rows stay pending
 *   hold                      → over; only health and the log tell it from the former
 */
export class BatchSender {
  readonly #options: BatchSenderOptions;
  /** When the oldest of what waits for a commit was accepted. */
  #waitsSince: number | undefined;

  constructor(options: BatchSenderOptions) {
    this.#options = options;
  }

  /** @param abandon ends also the request in flight, where `stop` lets it finish */
  async send(batch: EncodedBatch, stop: AbortSignal, abandon: AbortSignal): Promise<SentBatch> {
    const { acknowledgements, logger, receiver, clock } = this.#options;
    acknowledgements.reject(batch.refused);
    if (batch.refused.length > 0) {
      const [{ reason } = { reason: '' }] = batch.refused;
      logger.warn('rejected invalid stored samples', { count: batch.refused.length, reason });
    }
    const pass = {
      batchId: timeOrderedUuid(),
      stop,
      abandon,
      chunkIndex: 0,
      accepted: 0,
      bytesSent: 0,
      isRefused: false,
    };
    const goesOn = await this.#sendAll(batch.chunks, pass);
    const { batchId, accepted, chunkIndex: chunks, bytesSent, isRefused } = pass;
    const offered = batch.chunks.reduce((sum, { count }) => sum + count, 0);
    if (accepted > 0)
      receiver.delivered({ atMs: clock.now(), count: accepted, bytesSent, isPartial: accepted < offered });
    return { batchId, accepted, chunks, bytesSent, isOver: !goesOn, isRejected: isRefused };
  }

  /** Commits what has been accepted. */
  commit(): void {
    this.#options.acknowledgements.commit();
    this.#waitsSince = undefined;
  }

  /** Tells health, and the log once, of a fault of our own, such as a disk that is full. */
  reportFault(error: unknown): void {
    const { logger, receiver } = this.#options;
    if (receiver.failed('fault', String(error))) logger.error('upload cycle failed', toErrorFields(error));
  }

  async #sendAll(chunks: readonly Chunk[], pass: BatchProgress): Promise<boolean> {
    const putAside: { readonly chunk: Chunk; readonly post: SendResult; readonly acceptedBefore: number }[] = [];
    for (const chunk of chunks) {
      if (pass.stop.aborted) return false;
      const post = await this.#post(chunk, pass);
      if (post.outcome.kind === 'rejected') putAside.push({ chunk, post, acceptedBefore: pass.accepted });
      else if (this.#isTrouble(post)) return false;
    }
    for (const { chunk, post, acceptedBefore } of putAside) {
      // Only what was taken after the refusal shows that it was not the receiver's.
      const receiverTakesSamples = pass.accepted > acceptedBefore;
      if (pass.stop.aborted || !(await this.#blame({ chunk, post, receiverTakesSamples }, pass))) return false;
    }
    return true;
  }

  async #post(chunk: Chunk, pass: BatchProgress): Promise<SendResult> {
    const { transport, acknowledgements, clock, receiver, receiverClock } = this.#options;
    const post = await transport.send(chunk, pass.abandon);
    pass.bytesSent += post.bytesSent;
    this.#learn(chunk, post);
    const taken = takenBy(chunk, post.outcome);
    if (taken === undefined) return post;
    receiver.answered();
    // Only of a receiver that accepted samples: otherwise a portal or a proxy may have written the Date.
    receiverClock.learnFrom(post);
    const { connection, isClosing } = post;
    const chunkIndex = pass.chunkIndex++;
    const { ranges, count } = taken;
    const accepted = { batchId: pass.batchId, chunkIndex, ranges, count, pendingRowsVersion: chunk.pendingRowsVersion };
    acknowledgements.recordResponse({ connection, isClosing, accepted });
    this.#quarantine(rejectionsOf(chunk, post));
    pass.accepted += count;
    this.#waitsSince ??= clock.monotonic();
    if (clock.monotonic() - this.#waitsSince >= COMMIT_INTERVAL_MS) this.commit();
    return post;
  }

  #learn({ count: samples, body }: Chunk, { outcome, durationMs, errorCode, status }: SendResult): void {
    const { chunkSize } = this.#options;
    if (outcome.kind === 'delivered') chunkSize.accepted({ samples, bytes: body.length, durationMs });
    else if (TIMEOUT_CODES.includes(errorCode) || status === PAYLOAD_TOO_LARGE) chunkSize.failed('too-large', samples);
    else chunkSize.failed('refused', samples);
  }

  /** Tells health and the log of an outcome after which nothing more is to be sent. */
  #isTrouble({ outcome, errorCode, status }: SendResult): boolean {
    if (outcome.kind !== 'retry' && outcome.kind !== 'hold') return false;
    this.commit();
    this.#tellTrouble(outcome.kind, outcome.reason, { error_code: errorCode, http_status: status });
    return true;
  }

  #tellTrouble(kind: 'retry' | 'hold', reason: string, fields: Record<string, unknown>): void {
    const { receiver, logger } = this.#options;
    if (!receiver.failed(kind === 'hold' ? 'held' : 'away', reason)) return;
    const line = { error: reason, ...fields };
    if (kind === 'hold') logger.error('uploads paused: rejected by receiver', line);
    else logger.warn('upload failed, will retry', line);
  }

  /** Quarantines the samples for which a chunk was refused; false where nothing more is to be sent. */
  async #blame(refused: RejectedChunk, pass: BatchProgress): Promise<boolean> {
    const { encoder, transport } = this.#options;
    const result = await bisect(refused.chunk, refused.post, {
      encode: async (ids) => {
        const { format } = transport;
        const all = { batchMetrics: ids.length, chunkMetrics: ids.length };
        const { chunks } = await encoder.encode({ ranges: toRanges(ids), format, ...all });
        return chunks[0];
      },
      send: (part) => this.#post(part, pass),
      receiverAcceptsSamples: refused.receiverTakesSamples,
    });
    if (result.kind === 'receiver') {
      pass.isRefused = true;
      this.#tellTrouble('hold', `every sample is refused: ${result.reason}`, { http_status: refused.post.status });
      return false;
    }
    this.#quarantine(result.rejections);
    return result.kind === 'found' || !this.#isTrouble(result.post);
  }

  #quarantine(rejections: readonly RejectedRow[]): void {
    const { acknowledgements, logger } = this.#options;
    acknowledgements.reject(rejections);
    for (const { id, status, reason } of rejections.slice(0, MOST_TOLD)) {
      logger.warn('sample quarantined', { sample_id: id, http_status: status, error: reason });
    }
    if (rejections.length > MOST_TOLD)
      logger.warn('more samples quarantined', { count: rejections.length - MOST_TOLD });
  }
}

/** The samples that an outcome says were taken; undefined where it says that none were. */
function takenBy(chunk: Chunk, outcome: SendOutcome): { ranges: readonly IdRange[]; count: number } | undefined {
  if (outcome.kind === 'delivered') return chunk;
  if (outcome.kind !== 'partial') return undefined;
  const rejected = new Set(outcome.rejected.map(({ index }) => index));
  const isTaken = (index: number): boolean => (rejected.size === 0 ? index < outcome.accepted : !rejected.has(index));
  const ids = chunk.ids.filter((_, index) => isTaken(index));
  return { ranges: toRanges(ids), count: ids.length };
}

function rejectionsOf(chunk: Chunk, { outcome, status }: SendResult): RejectedRow[] {
  if (outcome.kind !== 'partial') return [];
  const { ids } = chunk;
  return outcome.rejected.map(({ index, reason }) => ({ id: ids[index]!, status, reason }));
}
