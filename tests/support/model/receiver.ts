import { gunzipSync } from 'node:zlib';

/** A sample as it arrives: its number names it, since the model gives every sample another one. */
export interface Arrived {
  readonly value: number;
  readonly timestampMs: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** VictoriaMetrics answers before it writes to the disk, which it does within this time. */
const FLUSH_MS = 5_000;

/** What the world has of a board's samples: a receiver that forgets what it has not written yet when it dies. */
export class Receiver {
  readonly #durable = new Map<number, Arrived>();
  #recent = new Map<number, { readonly sample: Arrived; readonly atMs: number }>();
  /** Number of the connection that is open. */
  connection = 1;

  /** What a post carries, in body order. */
  static read(body: Uint8Array): Arrived[] {
    const lines = gunzipSync(body)
      .toString()
      .split('\n')
      .filter((line) => line !== '');
    return lines.flatMap((line) => {
      const { metric, values, timestamps } = JSON.parse(line) as {
        metric: Record<string, string>;
        values: number[];
        timestamps: number[];
      };
      return values.map((value, index) => ({ value, timestampMs: timestamps[index]!, labels: metric }));
    });
  }

  take(samples: readonly Arrived[], nowMs: number): void {
    for (const sample of samples) {
      const before = this.get(sample.value);
      if (before !== undefined && before.timestampMs !== sample.timestampMs) {
        throw new Error(
          `sample ${sample.value} came twice, with the times ${before.timestampMs} and ${sample.timestampMs}`,
        );
      }
      if (!this.#durable.has(sample.value)) this.#recent.set(sample.value, { sample, atMs: nowMs });
    }
  }

  get(value: number): Arrived | undefined {
    return this.#durable.get(value) ?? this.#recent.get(value)?.sample;
  }

  /** Everything that it holds now. */
  get samples(): readonly Arrived[] {
    return [...this.#durable.values(), ...[...this.#recent.values()].map(({ sample }) => sample)];
  }

  /** Time has passed. */
  writeUntil(nowMs: number): void {
    for (const [value, { sample, atMs }] of this.#recent) {
      if (nowMs - atMs < FLUSH_MS) continue;
      this.#durable.set(value, sample);
      this.#recent.delete(value);
    }
  }

  /** The connection ends; the next one has another number. Returns the one that ended. */
  endConnection(): number {
    this.connection += 1;
    return this.connection - 1;
  }

  /** It ends in good order and comes back: what it has is written before. */
  shutDown(): number {
    this.writeUntil(Infinity);
    return this.endConnection();
  }

  /** It is killed and comes back; what it had not written is forgotten. */
  die(): number {
    this.#recent = new Map();
    return this.endConnection();
  }
}
