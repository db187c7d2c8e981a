import { findEpoch } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { toStoredValue } from '@thugshells/shared/metrics/sample-value.ts';

import type { ClockEpochs } from '../clock/clock-epochs.ts';
import type { CorruptDatabase } from './corrupt-database.ts';
import { readEpochs, readRejections, type SourceEpoch, type SourceRejection } from './corrupt-tables.ts';
import type { SourceSample } from './source-sample.ts';
import { readSeries } from './source-series.ts';

/** Consecutive samples of one epoch. */
interface Run {
  readonly epoch: SourceEpoch;
  readonly samples: SourceSample[];
}

/**
 * Inserts samples of another database under new ids, with the series of the same key and their corrected times; rejected
 * ones keep the reason. Works in the caller's transaction.
 */
export class SampleCopier {
  readonly #epochs: ClockEpochs;
  readonly #shiftMs: number;
  readonly #sourceEpochs: readonly SourceEpoch[];
  /** Id in the source → id in the database. */
  readonly #seriesIds: ReadonlyMap<number, number>;
  readonly #rejections: ReadonlyMap<number, SourceRejection>;
  readonly #lastId: Statement<[], number>;
  readonly #insert: Statement;
  readonly #setLastId: Statement<[number]>;
  readonly #reject: Statement;
  readonly #extendSettled: Statement<[number, number]>;
  readonly #beginSettled: Statement<[number, number]>;

  /** @param shiftMs is added to stored times and taken from the offsets of their epochs */
  constructor(
    database: Database,
    source: CorruptDatabase,
    { epochs, shiftMs }: { readonly epochs: ClockEpochs; readonly shiftMs: number },
  ) {
    this.#epochs = epochs;
    this.#shiftMs = shiftMs;
    this.#sourceEpochs = readEpochs(source).map((epoch) => shiftEpoch(epoch, shiftMs));
    this.#seriesIds = mapSeriesIds(database, source);
    this.#rejections = new Map(readRejections(source).map((each) => [each.id, each]));
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#insert = database.prepare(
      'INSERT OR IGNORE INTO samples (id, series_id, timestamp_ms, value) VALUES (?, ?, ?, ?)',
    );
    this.#setLastId = database.prepare('UPDATE collector_state SET last_id = ?');
    this.#reject = database.prepare('INSERT INTO rejected (id, status, reason) VALUES (?, ?, ?)');
    this.#extendSettled = database.prepare('UPDATE settled SET last_id = ? WHERE last_id = ?');
    this.#beginSettled = database.prepare('INSERT INTO settled (first_id, last_id) VALUES (?, ?)');
  }

  /** Whether the name of its series is known: else a sample cannot be copied. */
  isNamed({ seriesId }: SourceSample): boolean {
    return this.#seriesIds.has(seriesId);
  }

  /** Returns how many samples are new. */
  insert(samples: readonly SourceSample[], isSettled: boolean): number {
    return this.#groupByEpoch(samples).reduce((stored, run) => stored + this.#insertRun(run, isSettled), 0);
  }

  #insertRun({ epoch, samples }: Run, isSettled: boolean): number {
    const before = this.#lastId.get()!;
    let id = before;
    this.#epochs.recordForeign(epoch, before + 1);
    for (const { id: oldId, seriesId, timestampMs, value } of samples) {
      // Found already, or the new database has this series' sample of this very time.
      const { changes } = this.#insert.run(
        id + 1,
        this.#seriesIds.get(seriesId),
        timestampMs + this.#shiftMs,
        toStoredValue(value),
      );
      if (changes === 0) continue;
      id += 1;
      const rejection = isSettled ? this.#rejections.get(oldId) : undefined;
      if (rejection !== undefined) this.#reject.run(id, rejection.status, rejection.reason);
    }
    this.#setLastId.run(id);
    if (isSettled && id > before) this.#settle(before + 1, id);
    return id - before;
  }

  #settle(firstId: number, lastId: number): void {
    if (this.#extendSettled.run(lastId, firstId - 1).changes === 0) this.#beginSettled.run(firstId, lastId);
  }

  /** Groups samples of known series into runs of one epoch. */
  #groupByEpoch(samples: readonly SourceSample[]): Run[] {
    const runs: Run[] = [];
    for (const sample of samples) {
      if (!this.isNamed(sample)) continue;
      const epoch = findEpoch(this.#sourceEpochs, sample.id) ?? this.#sourceEpochs[0]!;
      const run = runs.at(-1);
      if (run?.epoch === epoch) run.samples.push(sample);
      else runs.push({ epoch, samples: [sample] });
    }
    return runs;
  }
}

/** Maps series by their keys: the same id may mean another series here. */
function mapSeriesIds(database: Database, source: CorruptDatabase): Map<number, number> {
  const find = database.prepare<[Buffer], number>('SELECT id FROM series WHERE key = ?').pluck();
  return new Map(
    readSeries(source).flatMap(({ id, key }) => {
      const found = find.get(key);
      return found === undefined ? [] : [[id, found] as const];
    }),
  );
}

/** Shifts an epoch so that corrected times and the start of its boot stay the same. */
function shiftEpoch(epoch: SourceEpoch, shiftMs: number): SourceEpoch {
  return {
    ...epoch,
    offsetMs: epoch.offsetMs - shiftMs,
    bootBaseMs: epoch.bootBaseMs === null ? null : epoch.bootBaseMs + shiftMs,
  };
}
