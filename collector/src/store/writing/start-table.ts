import type { Database, Statement } from '@thugshells/shared/database/open.ts';

import type { Instant, Moment } from '../clock/epoch-transition.ts';

/** When samples were scraped, and the lowest id that one of them may get. */
export interface StartScrape {
  readonly at: Instant;
  readonly moment: Moment;
  readonly firstId: number;
}

/** What is known of the start of a series. */
interface KnownStart {
  /** By its source; NaN until a scrape of this process has had the series. */
  createdMs: number | undefined;
  /** As it is stored. */
  startMs: number | null;
  /** When its source changed it last, by the monotonic clock; −Infinity if it has not. */
  changedAtMs: number;
}

/** A start that changes twice in this time is not known: an exporter that creates its counters for each scrape costs no writes. */
const MIN_CHANGE_INTERVAL_MS = 600_000;
/** No exporter is restarted and scraped again in less: it is the same start, by clocks that were read at two times. */
const MAX_DEVIATION_MS = 1_000;
/** Samples are stamped by another clock than this device's if the two differ by more. */
const MAX_CLOCK_DEVIATION_MS = 500;

/** The table `series_starts`. */
export class StartTable {
  readonly #all: Statement<[], { readonly seriesId: number; readonly startMs: number | null }>;
  readonly #insert: Statement<[number, number, number | null]>;
  readonly #prune: Statement<[]>;
  #known: Map<number, KnownStart> | undefined;
  #hasWritten = false;

  constructor(database: Database) {
    this.#all = database.prepare('SELECT series_id AS seriesId, start_ms AS startMs FROM series_starts ORDER BY id');
    this.#insert = database.prepare('INSERT INTO series_starts (series_id, first_id, start_ms) VALUES (?, ?, ?)');
    // Those of samples that are deleted.
    this.#prune = database.prepare(
      `WITH old AS (SELECT id, series_id FROM series_starts WHERE first_id <= (SELECT MIN(id) FROM samples))
       DELETE FROM series_starts WHERE id IN (SELECT id FROM old) AND id NOT IN (SELECT MAX(id) FROM old GROUP BY series_id)`,
    );
  }

  /** Forgets what the table holds: a transaction that wrote to it was rolled back. */
  forget(): void {
    this.#known = undefined;
    this.#hasWritten = false;
  }

  /** Writes the start of a sample's series if it is new or has changed. @param createdMs undefined if its source reports none */
  record(seriesId: number, createdMs: number | undefined, scrape: StartScrape): void {
    const all = (this.#known ??= this.#read());
    const known = all.get(seriesId);
    if (known === undefined && createdMs === undefined) return;
    const startMs = createdMs === undefined ? null : toStartMs(createdMs, scrape);
    if (known === undefined) {
      all.set(seriesId, { createdMs, startMs, changedAtMs: -Infinity });
      return this.#write(seriesId, startMs, scrape);
    }
    const nowMs = scrape.at.monotonicMs;
    const isRecent = nowMs - known.changedAtMs < MIN_CHANGE_INTERVAL_MS;
    const hasChanged = createdMs !== known.createdMs;
    // While the source reports the same, the clocks may step: stored time goes on, and so does the start.
    if (!hasChanged && (known.startMs !== null || isRecent)) return;
    const next = hasChanged && isRecent ? null : startMs;
    if (hasChanged && !Number.isNaN(known.createdMs)) known.changedAtMs = nowMs;
    known.createdMs = createdMs;
    if (isSameStart(next, known.startMs)) return;
    known.startMs = next;
    this.#write(seriesId, next, scrape);
  }

  /** Deletes the starts that no sample has any more; only after others were written, in their transaction: they alone make the table grow. */
  prune(): void {
    if (this.#hasWritten) this.#prune.run();
    this.#hasWritten = false;
  }

  #write(seriesId: number, startMs: number | null, { firstId }: StartScrape): void {
    this.#insert.run(seriesId, firstId, startMs);
    this.#hasWritten = true;
  }

  #read(): Map<number, KnownStart> {
    const rows = this.#all.all();
    return new Map(
      rows.map(({ seriesId, startMs }) => [seriesId, { createdMs: NaN, startMs, changedAtMs: -Infinity }]),
    );
  }
}

/** Returns stored time. An exporter has this device's clock: its start is as long before the scrape as by that clock. */
function toStartMs(createdMs: number, { at, moment }: StartScrape): number {
  const deviationMs = moment.correctedMs - at.wallMs;
  const shiftMs = Math.abs(deviationMs) > MAX_CLOCK_DEVIATION_MS ? deviationMs : 0;
  return Math.round(createdMs + shiftMs - moment.epoch.offsetMs);
}

function isSameStart(one: number | null, other: number | null): boolean {
  return one === null || other === null ? one === other : Math.abs(one - other) <= MAX_DEVIATION_MS;
}
