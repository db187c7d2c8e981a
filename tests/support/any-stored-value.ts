import { copyFileSync } from 'node:fs';
import { join } from 'node:path';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { Journal } from '@thugshells/shared/logging/journal.ts';
import { createHistogram, UPLOAD_BOUNDS_SECONDS } from '@thugshells/shared/metrics/histogram.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

import { openQueue } from '../../uploader/src/agent.ts';
import { ReceiverClockTable } from '../../uploader/src/clock/receiver-clock-table.ts';
import { quarantineCommand } from '../../uploader/src/commands/quarantine.ts';
import { statusCommand } from '../../uploader/src/commands/status.ts';
import { Encoder } from '../../uploader/src/encoding/encoder.ts';
import { RowReader } from '../../uploader/src/encoding/rows/row-reader.ts';
import { device as showDevice } from '../../uploader/src/http/page/device-section.ts';
import { HistoryReader } from '../../uploader/src/http/page/history-reader.ts';
import { PLOTS_WITH_PARTS } from '../../uploader/src/http/page/plots.ts';
import { Snapshots } from '../../uploader/src/telemetry/snapshot.ts';
import { CollectorStateReader } from '../../uploader/src/telemetry/collector-state-reader.ts';
import { toStoppedState } from '../../uploader/src/telemetry/uploader-state.ts';
import { ReportTable } from '../../uploader/src/telemetry/report-table.ts';
import { MetricsExposition } from '../../uploader/src/http/metrics.ts';
import { NOW, reading, scrapeAt, storeOn } from './collector/collector-parts.ts';
import { FakeClock } from './fake-clock.ts';
import { RecordedLog } from './recorded-log.ts';
import { TEST_CONFIG } from './uploader/running-uploads.ts';

const report: UploaderReport = {
  writtenAtMs: NOW,
  startedAtMs: NOW,
  endpoint: undefined,
  counts: { uploaded: 4, failures: 0, partial: 0, bytesSent: 9, durations: createHistogram(UPLOAD_BOUNDS_SECONDS) },
  receiver: { condition: 'taking', reason: '', sinceMs: NOW },
  lastDelivery: { atMs: NOW, count: 4, bytesSent: 9 },
  uploads: [{ atMs: NOW, samples: 4, bytes: 9, outcome: 'delivered', reason: '', times: 1 }],
  rejectedAtMs: NOW,
  judgement: {
    health: 1,
    unhealthy: [{ component: 'time', reason: 'clock_skewed', health: 1 }],
    oldestPendingSeconds: 0,
  },
};

/** Makes a database that both programs have worked on: ids 1 to 4 are delivered, 5 to 7 provisional, 8 is rejected, 9 to 16 pending. */
export async function prepareDatabase(path: string): Promise<void> {
  const journal = new Journal(new FakeClock(NOW));
  journal.wrap(new RecordedLog()).warn('collector failing', { error: 'EACCES' });
  const { clock, store } = storeOn(path, { journal });
  for (let scrape = 0; scrape < 4; scrape++) {
    await clock.advance(1_000);
    collect(clock, store);
  }
  store.close();
  const database = openDatabase(path);
  const queue = openQueue(database, { clock, logger: new RecordedLog(), config: { ...TEST_CONFIG, dbPath: path } });
  const accept = (batchId: string, first: number, last: number): void => {
    const accepted = { batchId, chunkIndex: 0, ranges: [[first, last] as const], count: last - first + 1 };
    queue.acknowledgements.recordResponse({ connection: 1, isClosing: false, accepted });
    queue.acknowledgements.commit();
  };
  accept('batch-a', 1, 4);
  database.exec('DELETE FROM provisional');
  accept('batch-b', 5, 7);
  queue.acknowledgements.reject([{ id: 8, status: 400, reason: 'bad' }]);
  queue.acknowledgements.commit();
  new ReportTable(database).save(report);
  measureReceiverClock(database);
  // A salvage that is over, but for its last step.
  database.exec(
    `INSERT INTO salvage (file, step, position, skipped, lost, recovered) VALUES ('metrics.db.damaged-x', 'done', 0, '[]', 0, 0)`,
  );
  database.pragma('wal_checkpoint(TRUNCATE)');
  database.close();
}

/** Saves what the uploader measures before its first upload. */
function measureReceiverClock(database: Database): void {
  new ReceiverClockTable(database, 'boot-1').save({ bootedAtMs: NOW - 60_000, policy: 'hold', measuredAtMs: NOW });
}

type StoreOnFile = ReturnType<typeof storeOn>['store'];

function collect(clock: FakeClock, store: StoreOnFile): void {
  const labels = { core: '0' };
  const readings = [
    reading('cpu.usage_percent', clock.now() % 100, labels),
    reading('a.number', 1),
    reading('a.text', 'on'),
    reading('b.number', 2),
  ];
  store.add(scrapeAt(clock, store, readings));
  store.flush();
}

/** A place for a value. */
export interface Column {
  readonly table: string;
  readonly column: string;
}

/** Lists the columns of all tables, without those that name the row. */
export function listColumns(path: string): Column[] {
  const database = openDatabase(path, { readonly: true });
  try {
    return database
      .prepare<[], Column>(
        `SELECT t.name AS "table", c.name AS "column" FROM sqlite_schema AS t, pragma_table_info(t.name) AS c
         WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' AND t.name <> 'schema_version' AND c.pk = 0 ORDER BY 1, 2`,
      )
      .all();
  } finally {
    database.close();
  }
}

/** Puts a value into a column of the newest row; returns false if the table refuses it, which no corruption of it can then hold either. */
export function putValue(path: string, { table, column }: Column, value: unknown): boolean {
  const database = openDatabase(path);
  try {
    database.prepare(`UPDATE ${table} SET ${column} = ? WHERE rowid = (SELECT MAX(rowid) FROM ${table})`).run(value);
    return true;
  } catch (error) {
    if (String(error).includes('constraint')) return false;
    throw error;
  } finally {
    database.close();
  }
}

/** What a start of the collector came to. */
export interface CollectorStart {
  readonly failure: string | undefined;
  readonly said: readonly string[];
}

/** Starts the collector's store, stores a scrape, and reads what it reports of itself. */
export async function startCollector(path: string): Promise<CollectorStart> {
  const { clock, log, store } = storeOn(path, { clock: new FakeClock(NOW + 60_000) });
  try {
    store.findCounters('test');
    await clock.advance(1_000);
    collect(clock, store);
    JSON.stringify([store.readAgentState(), store.skewMs()]);
    return { failure: store.failure, said: log.said('warn', 'error') };
  } finally {
    store.close();
  }
}

/** What a start of the uploader came to. */
export interface UploaderStart {
  readonly sent: number;
  readonly refused: number;
  readonly said: readonly string[];
}

/** Starts the uploader's parts: recovers, encodes everything, acknowledges it, and reads all that it shows. */
export async function startUploader(path: string): Promise<UploaderStart> {
  const clock = new FakeClock(NOW + 90_000);
  const log = new RecordedLog();
  const config = { ...TEST_CONFIG, dbPath: path };
  const database = openDatabase(path);
  try {
    const queue = openQueue(database, { clock, logger: log, config });
    measureReceiverClock(database);
    const counts = sendEverything(queue, path);
    await show(queue, path, { clock, log });
    return { ...counts, said: log.said('warn', 'error') };
  } finally {
    database.close();
  }
}

function sendEverything(
  { backlog, acknowledgements }: ReturnType<typeof openQueue>,
  path: string,
): Omit<UploaderStart, 'said'> {
  const database = openDatabase(path, { readonly: true });
  try {
    const ranges = backlog.findSendable([]);
    const request = {
      ranges,
      format: 'json-lines' as const,
      batchMetrics: 1_000,
      chunkMetrics: 3,
      nowMs: NOW + 90_000,
    };
    const { chunks, refused } = new Encoder(new RowReader(database)).encode(request);
    for (const [chunkIndex, { ranges: own, count }] of chunks.entries())
      acknowledgements.recordResponse({
        connection: 1,
        isClosing: false,
        accepted: { batchId: 'batch-c', chunkIndex, ranges: own, count },
      });
    acknowledgements.reject(refused);
    acknowledgements.commit();
    const sent = chunks.reduce((sum, { count }) => sum + count, 0);
    return { sent, refused: refused.length };
  } finally {
    database.close();
  }
}

async function show(
  { database, backlog, settled }: ReturnType<typeof openQueue>,
  path: string,
  { clock, log }: { readonly clock: FakeClock; readonly log: RecordedLog },
): Promise<void> {
  for (const options of [[], ['--json']])
    quarantineCommand(path, Object.assign(new Set(options), { value: () => undefined }));
  const history = new HistoryReader(path);
  JSON.stringify(history.read({ hours: 72, parts: PLOTS_WITH_PARTS }, NOW + 90_000, () => 0));
  showDevice(history.readDevice(), { version: '1', nowMs: NOW });
  history.close();
  const identity = { version: '1', bootId: 'boot-1', configurationWarnings: [] };
  const config = { ...TEST_CONFIG, dbPath: path };
  for (const asJson of [true, false]) await statusCommand({ clock, config, ...identity, asJson, isColored: false });
  const snapshots = new Snapshots({
    clock,
    collectorState: new CollectorStateReader(database, path, log),
    backlog,
    findLock: () => undefined,
    journal: () => [],
    settled: () => settled.readRanges(),
    uploaderState: () =>
      toStoppedState(new ReportTable(database, log).load(), { nowMs: clock.now(), skewMs: undefined }),
    batchMetrics: 100,
  });
  await new MetricsExposition({ deviceId: 'b1' }, snapshots, () => ({ health: 0, oldestPendingSeconds: 0 })).text();
}

/** Copies a closed database. */
export function copyDatabase(from: string, folder: string): string {
  const to = join(folder, 'metrics.db');
  copyFileSync(from, to);
  return to;
}
