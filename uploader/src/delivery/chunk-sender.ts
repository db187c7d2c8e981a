import type { Clock } from '@thugshells/shared/clock.ts';
import { toRanges, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import type { Chunk } from '../chunk.ts';
import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { Acknowledgements } from '../queue/acknowledgements.ts';
import type { RejectedRow } from '../queue/settled-ranges.ts';
import type { RetryingTransport } from '../transport/retrying-transport.ts';
import type { SendOutcome, SendResult } from '../transport/transport.ts';
import type { ChunkSize } from './chunk-size.ts';
import type { ReceiverState } from './receiver-state.ts';

export interface ChunkSenderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly acknowledgements: Acknowledgements;
  readonly chunkSize: ChunkSize;
  readonly transport: Pick<RetryingTransport, 'format' | 'send' | 'refusedSamples'>;
  readonly receiver: ReceiverState;
  readonly receiverClock: Pick<ReceiverClock, 'learnFrom'>;
}

/** How far the sending of a batch has come. */
export interface BatchProgress {
  readonly batchId: string;
  readonly stop: AbortSignal;
  readonly abandon: AbortSignal;
  chunkIndex: number;
  accepted: number;
  bytesSent: number;
  isRejected: boolean;
}

/** Longest time between an acceptance and its commit: a kill requeues no more than was accepted in it. */
const COMMIT_INTERVAL_MS = 1_000;
/** Error codes of a request that was too large for the link: it did not end before its timeout. */
const TIMEOUT_CODES: readonly (string | undefined)[] = ['ETIMEDOUT', 'ESOCKETTIMEDOUT'];
const PAYLOAD_TOO_LARGE = 413;
/** Quarantined samples of one bisection that are logged one by one; the command `quarantine` prints them all. */
const MAX_LOGGED_SAMPLES = 20;

/** Sends chunks, and records what the receiver accepted or rejected of them. */
export class ChunkSender {
  readonly #options: ChunkSenderOptions;
  /** When the oldest uncommitted acceptance came, by the monotonic clock. */
  #uncommittedSince: number | undefined;

  constructor(options: ChunkSenderOptions) {
    this.#options = options;
  }

  /** Sends a chunk; what of it was accepted is acknowledged. */
  async send(chunk: Chunk, progress: BatchProgress): Promise<SendResult> {
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
    this.quarantine(toRejections(chunk, result));
    progress.accepted += count;
    this.#uncommittedSince ??= clock.monotonic();
    if (acknowledgements.isFull || clock.monotonic() - this.#uncommittedSince >= COMMIT_INTERVAL_MS) this.commit();
    return result;
  }

  /** Commits what has been accepted; while the database is locked, it stays in memory and is committed later. */
  commit(): void {
    const { acknowledgements, clock } = this.#options;
    acknowledgements.commit();
    this.#uncommittedSince = acknowledgements.lockedForMs === undefined ? undefined : clock.monotonic();
  }

  quarantine(rejections: readonly RejectedRow[]): void {
    const { acknowledgements, logger } = this.#options;
    acknowledgements.reject(rejections);
    for (const { id, status, reason } of rejections.slice(0, MAX_LOGGED_SAMPLES)) {
      logger.warn('sample quarantined', { sample_id: id, http_status: status, error: reason });
    }
    if (rejections.length > MAX_LOGGED_SAMPLES)
      logger.warn('more samples quarantined', { count: rejections.length - MAX_LOGGED_SAMPLES });
  }

  #learn({ count: samples, body }: Chunk, { outcome, durationMs, errorCode, status }: SendResult): void {
    const { chunkSize } = this.#options;
    if (outcome.kind === 'delivered') chunkSize.accepted({ samples, bytes: body.length, durationMs });
    else if (TIMEOUT_CODES.includes(errorCode) || status === PAYLOAD_TOO_LARGE) chunkSize.failed('too-large', samples);
    else chunkSize.failed(outcome.kind === 'rejected' ? 'rejected' : 'refused', samples);
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
