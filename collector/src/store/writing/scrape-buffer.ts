import type { Sample } from '@thugshells/shared/metrics/sample.ts';
import type { CollectorStatus } from '@thugshells/shared/state/collector-status.ts';

import type { Instant, Moment } from '../clock/epoch-transition.ts';
import type { Loss } from '../space/ledger.ts';

/** What one scrape leaves to be stored. */
export interface StoredScrape {
  readonly at: Instant;
  readonly samples: readonly Sample[];
  /** How its collector fares after it. */
  readonly status: CollectorStatus;
}

/** A scrape in the buffer; the database that takes it gives it its stored time, once. */
export interface BufferedScrape extends StoredScrape {
  moment?: Moment;
}

/** About 10 MB of samples; at the default intervals that is more than an hour. */
const MAX_SAMPLES = 30_000;
/** A scrape takes memory too, also one without samples. */
const SCRAPE_COST = 4;
/** Samples in one commit: what is stored after a full disk must fit into little room. */
const GROUP_SAMPLES = 2_000;

/**
 * Scrapes on their way into the database: those of a FLUSH_INTERVAL, and while the disk is full all that there is room
 * for. Then the oldest make way for new ones, and are remembered as a loss for the books.
 */
export class ScrapeBuffer {
  #scrapes: BufferedScrape[] = [];
  #cost = 0;
  #loss: Loss | undefined;

  add(scrape: StoredScrape): void {
    this.#scrapes.push({ ...scrape });
    this.#cost += costOf(scrape);
    while (this.#cost > MAX_SAMPLES && this.#scrapes.length > 1) this.#lose(this.#scrapes.shift()!);
  }

  get isEmpty(): boolean {
    return this.#scrapes.length === 0 && this.#loss === undefined;
  }

  /** How many samples wait. */
  get samples(): number {
    return this.#scrapes.reduce((sum, { samples }) => sum + samples.length, 0);
  }

  /** Whether it can be added and nothing has to make way for it. */
  hasRoomFor(scrape: StoredScrape): boolean {
    return this.#cost + costOf(scrape) <= MAX_SAMPLES;
  }

  /** Half of the room is taken: no more is to be gathered. */
  get isHalfFull(): boolean {
    return this.#cost > MAX_SAMPLES / 2;
  }

  /** What had to make way and is not in the books yet. */
  get loss(): Loss | undefined {
    return this.#loss;
  }

  /** The oldest scrapes, as many as fit into one commit; at least one. */
  group(mostSamples = GROUP_SAMPLES): readonly BufferedScrape[] {
    let samples = 0;
    const end = this.#scrapes.findIndex((scrape) => (samples += scrape.samples.length) > mostSamples);
    return this.#scrapes.slice(0, end === -1 ? undefined : Math.max(1, end));
  }

  /** The first `count` scrapes and the loss are in the database now. */
  committed(count: number): void {
    for (const scrape of this.#scrapes.splice(0, count)) this.#cost -= costOf(scrape);
    this.#loss = undefined;
  }

  /** Another database takes the scrapes: it gives them their times anew. */
  forgetMoments(): void {
    for (const scrape of this.#scrapes) delete scrape.moment;
  }

  #lose(scrape: BufferedScrape): void {
    this.#cost -= costOf(scrape);
    if (scrape.samples.length === 0) return;
    const { wallMs } = scrape.at;
    const { count = 0, firstMs = wallMs } = this.#loss ?? {};
    this.#loss = { reason: 'memory', count: count + scrape.samples.length, firstMs, lastMs: wallMs };
  }
}

function costOf({ samples }: StoredScrape): number {
  return samples.length + SCRAPE_COST;
}
