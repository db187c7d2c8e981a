import type { EncodeRequest } from '../encoding/encoder.ts';

/** The limits of the size of chunks. */
export interface ChunkSizeOptions {
  /** Samples in the first chunk of an upload, and the minimum with a backlog. */
  readonly chunkMetrics: number;
  /** More pending samples than this are a backlog. */
  readonly batchMetrics: number;
  /** Whether chunks grow at all. */
  readonly chunkGrowth: boolean;
  /** Maximum compressed bytes of a chunk. */
  readonly chunkMaxBytes: number;
  /** A chunk must be sent within half of it, or it would delay the newest samples. */
  readonly uploadIntervalMs: number;
}

/** A chunk that was accepted whole. */
export interface AcceptedSize {
  readonly samples: number;
  readonly bytes: number;
  readonly durationMs: number;
}

/** Why a chunk was not accepted whole. */
export type ChunkFailure =
  /** The receiver accepted a part of it, or nothing. */
  | 'refused'
  /** The receiver will never accept it: some of its samples may be the cause. */
  | 'rejected'
  /** It was too large for the link or the receiver: a timeout, or HTTP 413. */
  | 'too-large';

/** Compressed bytes per sample before the first measurement: about 16 in chunks of 50, about 4 in large ones. */
const FIRST_BYTES_PER_SAMPLE = 16;
/** Weight of the newest chunk in what has been learned. */
const LEARNING_RATE = 0.3;
/** Growth of the ceiling that a timeout or a 413 has set, per accepted chunk: it doubles in about 14 of them. */
const CEILING_RISE = 1.05;
/**
 * What would be sent in this time is prefetched while a chunk is in flight. VictoriaMetrics now and then takes 250 to
 * 400 ms for one; with only the next one prefetched the encoder would idle meanwhile.
 */
const AHEAD_MS = 300;
/** Maximum number of prefetched batches, at some 800 KB each. */
const MAX_BATCHES_AHEAD = 6;

/**
 * Adapts the number of samples per chunk.
 *
 * A chunk of 50 costs a round trip and its headers for 800 bytes, which is right for 50 new samples and wrong for a
 * million old ones. So each chunk of the size that was learned that is accepted whole doubles it, up to the limits of
 * bytes and time; each failure halves it, down to the initial size.
 */
export class ChunkSize {
  readonly #options: ChunkSizeOptions;
  #samples: number;
  #ceiling = Infinity;
  #bytesPerSample = FIRST_BYTES_PER_SAMPLE;
  #samplesPerMs: number | undefined;
  /** Whether the last chunk let the next one double. */
  #isGrowing = true;
  /** Whether one was rejected since. */
  #isRejected = false;

  constructor(options: ChunkSizeOptions) {
    this.#options = options;
    this.#samples = options.chunkMetrics;
  }

  /** Returns whether so many pending samples are a backlog: more than one batch. */
  isBacklog(pending: number): boolean {
    return pending > this.#options.batchMetrics;
  }

  /**
   * Returns the number of samples of the next batch and of its chunks, for a number of pending samples. With a backlog a
   * chunk of the size that was learned is a batch of its own. Without one, a batch begins with a small chunk, which costs
   * little where the receiver is away; the others have the size that was learned. So it does after a rejection: samples of
   * other series than the rejected ones are at hand then, and show whether the receiver accepts any.
   */
  next(pending: number): Pick<EncodeRequest, 'batchMetrics' | 'chunkMetrics' | 'furtherChunkMetrics'> {
    const { batchMetrics, chunkMetrics, chunkGrowth } = this.#options;
    const learned = this.#samples;
    if (!chunkGrowth) return { batchMetrics, chunkMetrics };
    if (this.#isRejected || !this.isBacklog(pending))
      return { batchMetrics, chunkMetrics, furtherChunkMetrics: learned };
    return { batchMetrics: learned, chunkMetrics: learned };
  }

  /**
   * Returns how many batches to prefetch while one is sent: one while each response may still change their size, and one
   * over a link that is slower than the encoder.
   */
  batchesAhead(): number {
    const isAtCeiling = this.#samples >= Math.floor(this.#ceiling);
    if (this.#isGrowing || isAtCeiling || this.#samplesPerMs === undefined) return 1;
    return Math.min(MAX_BATCHES_AHEAD, Math.max(1, Math.round((AHEAD_MS * this.#samplesPerMs) / this.#samples)));
  }

  /** Learns from a chunk that was accepted whole. */
  accepted({ samples, bytes, durationMs }: AcceptedSize): void {
    if (samples === 0) return;
    this.#bytesPerSample += LEARNING_RATE * (bytes / samples - this.#bytesPerSample);
    const speed = samples / Math.max(durationMs, 1);
    this.#samplesPerMs =
      this.#samplesPerMs === undefined ? speed : this.#samplesPerMs + LEARNING_RATE * (speed - this.#samplesPerMs);
    this.#ceiling *= CEILING_RISE;
    // Prefetched chunks were cut before this response, so this one may have half of the current size. A smaller one held
    // all that was pending: it does not show whether the receiver would accept a larger one.
    const doubled = 2 * this.#samples;
    const isOfThatSize = 2 * samples >= this.#samples;
    if (isOfThatSize) {
      this.#samples = doubled;
      this.#isRejected = false;
    }
    this.#clamp();
    if (isOfThatSize) this.#isGrowing = this.#samples === doubled;
  }

  /** Learns from a chunk that was not accepted whole. */
  failed(failure: ChunkFailure, samples: number): void {
    if (failure === 'too-large') this.#ceiling = samples / 2;
    if (failure === 'rejected') this.#isRejected = true;
    this.#samples = Math.min(this.#samples, samples) / 2;
    this.#isGrowing = true;
    this.#clamp();
  }

  #clamp(): void {
    const { chunkMetrics, chunkMaxBytes, uploadIntervalMs } = this.#options;
    const inTime = this.#samplesPerMs === undefined ? Infinity : (this.#samplesPerMs * uploadIntervalMs) / 2;
    const maxSamples = Math.min(chunkMaxBytes / this.#bytesPerSample, inTime, this.#ceiling);
    this.#samples = Math.max(chunkMetrics, Math.floor(Math.min(this.#samples, maxSamples)));
    this.#ceiling = Math.max(this.#ceiling, chunkMetrics);
  }
}
