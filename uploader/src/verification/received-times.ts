import type { ExportedIdentity } from './series-catalog.ts';

/** The times of one series at the receiver. */
export class ReceivedTimes {
  readonly series: ExportedIdentity;
  readonly #dedupMs: number;
  readonly #untaken = new Set<number>();
  /** By interval of deduplication, the last time in it. */
  readonly #lastInBucket = new Map<number, number>();

  constructor(series: ExportedIdentity, dedupMs: number) {
    this.series = series;
    this.#dedupMs = dedupMs;
  }

  get isEmpty(): boolean {
    return this.#lastInBucket.size === 0;
  }

  /** Times that no stored row has. */
  get others(): number[] {
    return [...this.#untaken].sort((a, b) => a - b);
  }

  add(timestamps: readonly number[]): void {
    for (const ms of timestamps) {
      this.#untaken.add(ms);
      const bucket = toBucket(ms, this.#dedupMs);
      this.#lastInBucket.set(bucket, Math.max(ms, this.#lastInBucket.get(bucket) ?? ms));
    }
  }

  /** Whether the receiver has a sample at a time, or one that deduplication has kept in its place. */
  take(ms: number): boolean {
    this.#untaken.delete(ms);
    const last = this.#lastInBucket.get(toBucket(ms, this.#dedupMs));
    return last !== undefined && last >= ms;
  }
}

/** VictoriaMetrics keeps the last sample in each interval that ends at a multiple of its length (lib/storage/dedup.go). */
export function toBucket(ms: number, dedupMs: number): number {
  return dedupMs <= 1 ? ms : Math.ceil(ms / dedupMs);
}
