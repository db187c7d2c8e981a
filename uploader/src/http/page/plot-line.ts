/** A value at a corrected time. */
export interface PlotPoint {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly value: number;
}

/** The points of a line that are too close together to be seen apart. */
interface Bucket {
  readonly sum: number;
  readonly count: number;
  readonly min: number;
  readonly max: number;
}

/** Collects the points of a line in buckets. Points of one time, as of the interfaces of one scrape, are summed. */
export class PlotLine {
  readonly label: string;
  readonly #bucketMs: number;
  readonly #buckets = new Map<number, Bucket>();
  #open: PlotPoint | undefined;

  constructor(label: string, bucketMs: number) {
    this.label = label;
    this.#bucketMs = bucketMs;
  }

  /** Adds a point; those of one time follow each other. */
  add({ atMs, value }: PlotPoint): void {
    if (Number.isNaN(value)) return;
    if (this.#open?.atMs === atMs) {
      this.#open = { atMs, value: this.#open.value + value };
      return;
    }
    this.flush();
    this.#open = { atMs, value };
  }

  /** Ends the point that others of its time could be added to. */
  flush(): void {
    if (this.#open === undefined) return;
    const { atMs, value } = this.#open;
    this.#open = undefined;
    const key = Math.floor(atMs / this.#bucketMs);
    const before = this.#buckets.get(key);
    this.#buckets.set(key, {
      sum: (before?.sum ?? 0) + value,
      count: (before?.count ?? 0) + 1,
      min: Math.min(before?.min ?? value, value),
      max: Math.max(before?.max ?? value, value),
    });
  }

  /** Drops what is older, and returns the times of the other buckets in multiples of their length. */
  prune(fromMs: number): number[] {
    for (const key of this.#buckets.keys()) if ((key + 1) * this.#bucketMs <= fromMs) this.#buckets.delete(key);
    return [...this.#buckets.keys()];
  }

  /** Returns the mean, the minimum or the maximum of each bucket; null for one without points. */
  values(keys: readonly number[], what: 'mean' | 'min' | 'max'): (number | null)[] {
    return keys.map((key) => {
      const bucket = this.#buckets.get(key);
      if (bucket === undefined) return null;
      return Number((what === 'mean' ? bucket.sum / bucket.count : bucket[what]).toPrecision(5));
    });
  }
}

/** Computes the rate of a counter from two samples that follow each other, at the time of the later one. */
export function toRate(before: PlotPoint, after: PlotPoint): PlotPoint | undefined {
  const seconds = (after.atMs - before.atMs) / 1000;
  // One that went backwards was reset, and starts over.
  if (after.value < before.value || seconds <= 0) return undefined;
  return { atMs: after.atMs, value: (after.value - before.value) / seconds };
}
