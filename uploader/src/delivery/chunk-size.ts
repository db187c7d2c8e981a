/** How large chunks may become. */
export interface ChunkSizeOptions {
  /** Samples in a chunk while there is no backlog, and the least there ever is. */
  readonly chunkMetrics: number;
  /** More pending samples than this are a backlog. */
  readonly batchMetrics: number;
  /** Whether chunks grow with a backlog at all. */
  readonly chunkGrowth: boolean;
  /** Most gzipped bytes in a chunk. */
  readonly chunkMaxBytes: number;
  /** A chunk must go through in half of it, or the newest samples would wait for it. */
  readonly uploadIntervalMs: number;
}

/** A chunk that was accepted whole. */
export interface AcceptedSize {
  readonly samples: number;
  readonly bytes: number;
  readonly durationMs: number;
}

/** What went wrong with a chunk. */
export type ChunkFailure =
  /** The receiver took a part or nothing of it. */
  | 'refused'
  /** It was too large for the link or the receiver: a timeout, or HTTP 413. */
  | 'too-large';

/** Gzipped bytes of a sample before anything was measured: chunks of 50 take about 16, large ones about 4. */
const FIRST_BYTES_PER_SAMPLE = 16;
/** Weight of the newest chunk in what has been learned. */
const LEARNING_RATE = 0.3;
/** How quickly a ceiling that a timeout or a 413 taught is forgotten: it doubles in about 14 accepted chunks. */
const CEILING_RISE = 1.05;
/**
 * What would be sent in this time is made ready while a chunk is on its way. VictoriaMetrics now and then thinks for
 * 250 to 400 ms about one; with only the next one ready the encoder would stand still meanwhile.
 */
const AHEAD_MS = 300;
/** No more batches than these wait ready, at some 800 KB each. */
const MOST_AHEAD = 6;

/**
 * How many samples the next chunk takes.
 *
 * A chunk of 50 costs a round trip and its headers for 800 bytes, which is right for 50 new samples and wrong for a
 * million old ones. So with a backlog each chunk that is accepted whole lets the next one double, up to what fits into
 * the limits of bytes and time; whatever goes wrong halves it again, down to where it began.
 */
export class ChunkSize {
  readonly #options: ChunkSizeOptions;
  #samples: number;
  #ceiling = Infinity;
  #bytesPerSample = FIRST_BYTES_PER_SAMPLE;
  #samplesPerMs: number | undefined;
  /** Whether the last chunk let the next one double. */
  #isGrowing = true;

  constructor(options: ChunkSizeOptions) {
    this.#options = options;
    this.#samples = options.chunkMetrics;
  }

  /** Whether so many pending samples are a backlog: more than one batch. */
  isBacklog(pending: number): boolean {
    return pending > this.#options.batchMetrics;
  }

  /**
   * How many samples the next batch and each of its chunks take, with so many pending. A chunk that has grown is a batch
   * of its own; small ones share one, so that they share a read and a sort.
   */
  next(pending: number): { readonly batchMetrics: number; readonly chunkMetrics: number } {
    const { batchMetrics, chunkMetrics, chunkGrowth } = this.#options;
    if (!chunkGrowth || !this.isBacklog(pending)) return { batchMetrics, chunkMetrics };
    return { batchMetrics: this.#samples, chunkMetrics: this.#samples };
  }

  /**
   * How many batches are made ready while one is sent: one while it shows from answer to answer how large they may be,
   * and one over a link that is slower than the encoder.
   */
  batchesAhead(): number {
    const isAtCeiling = this.#samples >= Math.floor(this.#ceiling);
    if (this.#isGrowing || isAtCeiling || this.#samplesPerMs === undefined) return 1;
    return Math.min(MOST_AHEAD, Math.max(1, Math.round((AHEAD_MS * this.#samplesPerMs) / this.#samples)));
  }

  accepted({ samples, bytes, durationMs }: AcceptedSize): void {
    if (samples === 0) return;
    this.#bytesPerSample += LEARNING_RATE * (bytes / samples - this.#bytesPerSample);
    const speed = samples / Math.max(durationMs, 1);
    this.#samplesPerMs =
      this.#samplesPerMs === undefined ? speed : this.#samplesPerMs + LEARNING_RATE * (speed - this.#samplesPerMs);
    this.#ceiling *= CEILING_RISE;
    // The next one was cut before this answer came, and is at most twice as large. What is smaller than that was all
    // there was, and says nothing of whether a larger one would be taken.
    const doubled = 2 * this.#samples;
    const isOfThatSize = 2 * samples >= this.#samples;
    if (isOfThatSize) this.#samples = doubled;
    this.#clamp();
    if (isOfThatSize) this.#isGrowing = this.#samples === doubled;
  }

  failed(trouble: ChunkFailure, samples: number): void {
    if (trouble === 'too-large') this.#ceiling = samples / 2;
    this.#samples = Math.min(this.#samples, samples) / 2;
    this.#isGrowing = true;
    this.#clamp();
  }

  #clamp(): void {
    const { chunkMetrics, chunkMaxBytes, uploadIntervalMs } = this.#options;
    const inTime = this.#samplesPerMs === undefined ? Infinity : (this.#samplesPerMs * uploadIntervalMs) / 2;
    const most = Math.min(chunkMaxBytes / this.#bytesPerSample, inTime, this.#ceiling);
    this.#samples = Math.max(chunkMetrics, Math.floor(Math.min(this.#samples, most)));
    this.#ceiling = Math.max(this.#ceiling, chunkMetrics);
  }
}
