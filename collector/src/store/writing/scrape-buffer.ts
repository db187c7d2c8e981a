import type { Sample } from '@thugshells/shared/metrics/sample.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';

import type { Instant, Moment } from '../clock/epoch-transition.ts';
import type { Loss } from '../space/ledger.ts';

/** What is stored of one scrape. */
export interface StoredScrape {
  readonly at: Instant;
  readonly samples: readonly Sample[];
  /** The state of its collector after it. */
  readonly status: CollectorStatus;
}

/** A scrape in the buffer; it gets its stored time once, from the database that it is committed to. */
export interface BufferedScrape extends StoredScrape {
  moment?: Moment;
}

/** About 10 MB of samples; at the default intervals that is more than an hour. */
const MAX_SAMPLES = 30_000;
/** What a scrape itself counts for, in samples: one without samples takes memory too. */
const SCRAPE_COST = 4;
/** Maximum of samples in one commit: after a full disk there is little space for the WAL. */
const MAX_COMMIT_SAMPLES = 2_000;

/**
 * Buffers scrapes in memory until they are committed: those of one FLUSH_INTERVAL, and while the disk is full as many as
 * fit. When the buffer is full, the oldest are dropped and counted as a loss, which the next commit books.
 */
export class ScrapeBuffer {
  #scrapes: BufferedScrape[] = [];
  #cost = 0;
  #loss: Loss | undefined;

  add(scrape: StoredScrape): void {
    this.#scrapes.push({ ...scrape });
    this.#cost += countCost(scrape);
    while (this.#cost > MAX_SAMPLES && this.#scrapes.length > 1) this.#drop(this.#scrapes.shift()!);
  }

  get isEmpty(): boolean {
    return this.#scrapes.length === 0 && this.#loss === undefined;
  }

  /** How many samples are buffered. */
  get sampleCount(): number {
    return this.#scrapes.reduce((sum, { samples }) => sum + samples.length, 0);
  }

  /** Whether it can be added without dropping another one. */
  hasSpaceFor(scrape: StoredScrape): boolean {
    return this.#cost + countCost(scrape) <= MAX_SAMPLES;
  }

  /** Whether half of the buffer is used: a commit is due, whatever FLUSH_INTERVAL is. */
  get isHalfFull(): boolean {
    return this.#cost > MAX_SAMPLES / 2;
  }

  /** What was dropped and is not booked yet. */
  get loss(): Loss | undefined {
    return this.#loss;
  }

  /** Returns the oldest scrapes, as many as fit into one commit; at least one. */
  peek(maxSamples = MAX_COMMIT_SAMPLES): readonly BufferedScrape[] {
    let samples = 0;
    const end = this.#scrapes.findIndex((scrape) => (samples += scrape.samples.length) > maxSamples);
    return this.#scrapes.slice(0, end === -1 ? undefined : Math.max(1, end));
  }

  /** The first `count` scrapes and the loss are in the database now. */
  removeCommitted(count: number): void {
    for (const scrape of this.#scrapes.splice(0, count)) this.#cost -= countCost(scrape);
    this.#loss = undefined;
  }

  /** Forgets the stored times: another database gives the scrapes new ones. */
  forgetMoments(): void {
    for (const scrape of this.#scrapes) delete scrape.moment;
  }

  #drop(scrape: BufferedScrape): void {
    this.#cost -= countCost(scrape);
    if (scrape.samples.length === 0) return;
    const { wallMs } = scrape.at;
    const { count = 0, firstMs = wallMs } = this.#loss ?? {};
    this.#loss = { reason: 'memory', count: count + scrape.samples.length, firstMs, lastMs: wallMs };
  }
}

function countCost({ samples }: StoredScrape): number {
  return samples.length + SCRAPE_COST;
}
