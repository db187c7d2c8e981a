import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { openDatabase, openSideFile, type Database } from '@thugshells/shared/database/open.ts';
import { schemaVersion, SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';

import { AgentProcess } from '../support/agent-process.ts';
import { DatagramReceiver } from '../support/datagram-receiver.ts';
import { until } from '../support/until.ts';

const ROWS = 110_000;
const DISTINCT = 100_000;
let folder: string;
let path: string;
let notified: string[];
let socket: DatagramReceiver;
let receiving: NodeJS.Timeout;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'migrations-'));
  path = join(folder, 'metrics.db');
  notified = [];
  socket = new DatagramReceiver(join(folder, 'notify'));
  // The socket's queue is short, and a sender that finds it full blocks.
  receiving = setInterval(() => notified.push(...socket.readAll()), 5);
  makeFirstDatabase();
});

afterEach(() => {
  clearInterval(receiving);
  socket.close();
  rmSync(folder, { recursive: true });
});

/** The first milestone's database, its pages of the size that was usual: values, each tenth stored twice. */
function makeFirstDatabase(): void {
  const database = openSideFile(path);
  database.pragma('page_size = 4096');
  database.exec(readFileSync(fileURLToPath(new URL('../../migrations/0001-metrics.sql', import.meta.url)), 'utf8'));
  const insert = database.prepare(
    'INSERT INTO metrics (timestamp_ms, metric_name, metric_value, device_id) VALUES (?, ?, ?, ?)',
  );
  database.transaction(() => {
    for (let row = 0; row < ROWS; row++) {
      const value = row - Math.floor((row + 1) / 11);
      insert.run(1_700_000_000_000 + value, 'load.average_1m', value, 'board');
    }
  })();
  database.close();
}

function migrating(): AgentProcess {
  return new AgentProcess('collector', { THUGSHELLS_DB_PATH: path, NOTIFY_SOCKET: join(folder, 'notify') }, [
    'migrate',
  ]);
}

function reading<T>(read: (database: Database) => T): T {
  const database = openDatabase(path);
  try {
    return read(database);
  } finally {
    database.close();
  }
}

function expectMigrated(): void {
  reading((database) => {
    expect(schemaVersion(database)).toBe(SCHEMA_VERSION);
    expect(database.prepare('SELECT COUNT(*), COUNT(DISTINCT value), MAX(value) FROM samples').raw().get()).toEqual([
      DISTINCT,
      DISTINCT,
      DISTINCT - 1,
    ]);
    expect(database.prepare('SELECT balanced FROM books').pluck().get()).toBe(1);
    expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  });
}

test('migration: extends systemd’s start timeout by datagrams on its socket', async () => {
  expect(await migrating().ended).toEqual({ code: 0, signal: null });
  expectMigrated();
  notified.push(...socket.readAll());
  const extensions = notified.flatMap((message) => /^EXTEND_TIMEOUT_USEC=(\d+)$/m.exec(message)?.[1] ?? []);
  // Before every slice of 20,000 rows, of which each long statement has six.
  expect(extensions.length).toBeGreaterThan(30);
  for (const microseconds of extensions) expect(Number(microseconds)).toBeGreaterThanOrEqual(60_000_000);
  expect(notified.some((message) => message.includes('STATUS=rebuilding the database with small pages'))).toBe(true);
});

test('migration: a kill leaves the version before, and the next start completes it', async () => {
  const killed = migrating();
  await until('it is at work', () => notified.length > 4);
  expect(await killed.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  const version = reading(schemaVersion);
  expect(version).toBeLessThan(SCHEMA_VERSION);
  if (version === 1)
    expect(reading((database) => database.prepare('SELECT COUNT(*) FROM metrics').pluck().get())).toBe(ROWS);
  expect(await migrating().ended).toEqual({ code: 0, signal: null });
  expectMigrated();
});

test('migration: of two collectors that start at once one migrates, the other exits with 75 or finds it done', async () => {
  const codes = (await Promise.all([migrating().ended, migrating().ended])).map(({ code }) => code);
  expect(codes).toContain(0);
  for (const code of codes) expect([0, 75]).toContain(code);
  expectMigrated();
});
