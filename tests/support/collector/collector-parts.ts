import { randomUUID } from 'node:crypto';
import { fileURLToPath } from 'node:url';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { Journal } from '@thugshells/shared/logging/journal.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';
import { createCounters, type CollectorStatus } from '@thugshells/shared/state/collector-status.ts';

import { ClockEpochs, readInstant, type ClockEpochsOptions } from '../../../collector/src/store/clock/clock-epochs.ts';
import { CollectorStatusTable } from '../../../collector/src/store/status/collector-status.ts';
import { JournalTable } from '../../../collector/src/store/status/journal-table.ts';
import { SampleWriter, type SampleWriterOptions } from '../../../collector/src/store/writing/sample-writer.ts';
import { Admission } from '../../../collector/src/store/writing/admission.ts';
import { Ledger } from '../../../collector/src/store/space/ledger.ts';
import type { StoredScrape } from '../../../collector/src/store/writing/scrape-buffer.ts';
import { divideSpace } from '../../../collector/src/store/space/limits.ts';
import { Store, type StoreOptions } from '../../../collector/src/store/store.ts';
import { FakeClock } from '../fake-clock.ts';
import { RecordedLog } from '../recorded-log.ts';

/** When the clock of these tests stands at its start, and when the program was built: a day before. */
export const NOW = 1_700_000_000_000;
export const BUILT_AT = NOW - 86_400_000;

export function migratedDatabase(path: string): Database {
  const database = openDatabase(path, { create: true });
  migrate(database);
  return database;
}

/** What a collector's process makes of an open database at its start, by itself. */
export function startOn(
  database: Database,
  options: Partial<SampleWriterOptions & ClockEpochsOptions & { labels: Labels }> & { readonly clock?: FakeClock } = {},
) {
  const clock = options.clock ?? new FakeClock(NOW);
  const log = new RecordedLog();
  const epochs = new ClockEpochs(database, { logger: log, bootId: 'boot-1', builtAtMs: BUILT_AT, ...options, clock });
  const ledger = new Ledger(database);
  const statuses = new CollectorStatusTable(database);
  const journal = new JournalTable(database, { clock, logger: log, journal: new Journal(clock) });
  const parts = { clock, epochs, ledger, statuses, journal };
  const writer = new SampleWriter(database, { syncIntervalMs: 30_000, ...options, ...parts });
  const admission = new Admission({ deviceId: 'b1', labels: options.labels ?? {}, remoteProtocol: 'victoriametrics' });
  admission.addStoredNames(writer.readNames());
  return { clock, log, epochs, ledger, writer, admission };
}

/** The whole store on a file, open. */
export function storeOn(path: string, options: Partial<StoreOptions> & { readonly clock?: FakeClock } = {}) {
  const clock = options.clock ?? new FakeClock(NOW);
  const log = new RecordedLog();
  const limits = divideSpace({ dbMaxBytes: 64 * 1024 ** 2, walCheckpointBytes: 64 * 1024 ** 2 });
  const store = new Store({
    logger: log,
    journal: new Journal(clock),
    dbPath: path,
    limits,
    session: {
      id: randomUUID(),
      startedAtMs: clock.now(),
      metadata: { version: '1', bootId: 'boot-1', kernel: '6.1', host: 'b1' },
    },
    builtAtMs: BUILT_AT,
    syncIntervalMs: 30_000,
    walCheckpointIntervalMs: 3_600_000,
    retentionMs: 72 * 3_600_000,
    deviceId: 'b1',
    remoteProtocol: 'victoriametrics',
    labels: {},
    flushIntervalMs: 0,
    collectors: ['test'],
    readWrittenBytes: () => 0,
    checkWorkerFile: fileURLToPath(
      new URL('../../../collector/src/store/recovery/integrity-worker.ts', import.meta.url),
    ),
    ...options,
    clock,
  });
  store.open();
  return { clock, log, store };
}

/** How the collector of a made scrape fares. */
export function createStatus(collector = 'test'): CollectorStatus {
  return {
    collector,
    status: 'ok',
    message: '',
    sinceMs: NOW,
    intervalMs: 1_000,
    lastScrapeMs: NOW,
    durationMs: 1,
    ...createCounters(),
  };
}

/** A scrape of these readings, now. */
export function scrapeAt(clock: FakeClock, store: Store, readings: readonly Reading[]): StoredScrape {
  const at = readInstant(clock);
  return { at, samples: store.admit(readings, at).samples, status: createStatus() };
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
