import { migrate } from '@thugshells/shared/database/migrate.js';
import { openDatabase, type Database } from '@thugshells/shared/database/open.js';
import type { Labels, Reading } from '@thugshells/shared/sample.js';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/series.js';

import { ClockEpochs, type ClockEpochsOptions } from '../../../collector/src/clock-epochs.js';
import { SampleWriter, type SampleWriterOptions } from '../../../collector/src/sample-writer.js';
import { FakeClock } from '../../support/fake-clock.js';
import { RecordedLog } from '../shared/recorded-log.js';

/** When the clock of these tests stands at its start, and when the program was built: a day before. */
export const NOW = 1_700_000_000_000;
export const BUILT_AT = NOW - 86_400_000;

export function migratedDatabase(path: string): Database {
  const database = openDatabase(path, { create: true });
  migrate(database);
  return database;
}

/** What a collector's process makes of a database at its start. */
export function startOn(
  database: Database,
  options: Partial<SampleWriterOptions & ClockEpochsOptions> & { readonly clock?: FakeClock } = {},
) {
  const clock = options.clock ?? new FakeClock(NOW);
  const log = new RecordedLog();
  const epochs = new ClockEpochs(database, { logger: log, bootId: 'boot-1', builtAtMs: BUILT_AT, ...options, clock });
  const writer = new SampleWriter(database, { deviceId: 'b1', labels: {}, syncIntervalMs: 30_000, ...options, clock, epochs });
  return { clock, log, epochs, writer };
}

export function gauge(name: string, priority = 1): SeriesDeclaration {
  return declareSeries({ name, kind: 'gauge', unit: 'none', help: 'A test’s.', priority });
}

export function reading(name: string, value: number | string, labels: Labels = {}): Reading {
  return { series: gauge(name), labels, value };
}

/** The rows of the view, as the columns asked for. */
export function view(database: Database, columns: string): unknown[] {
  return database.prepare(`SELECT ${columns} FROM metrics ORDER BY id`).raw().all();
}
