import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { divideSpace } from '../../collector/src/store/space/limits.ts';
import { AgentProcess, type LogLine } from '../support/agent-process.ts';
import { FakeClock } from '../support/fake-clock.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';
import { reading, scrapeAt, storeOn } from '../support/collector/collector-parts.ts';
import { booksOf, deliver } from '../support/collector/prepared-store.ts';

const MIB = 1024 ** 2;
const DB_MAX_BYTES = 8 * MIB;
const WAL_BYTES = 0.25 * MIB;
/** Rows for which there is hardly room. */
const OLD_ROWS = 104_000;
const MINUTE_MS = 60_000;
/** Of a scrape or an acknowledgement here. */
const ONE_COMMIT_BYTES = 128 * 1024;

/**
 * A busy machine delays scrapes, and lets a reader wait in the midst of its look, which keeps the WAL from being emptied: the
 * programs say so, and lose nothing. Who meets a lock says that in a line of his own.
 */
function isOfABusyMachine({ msg, error_code: code, reason }: LogLine): boolean {
  if (msg === 'health changed' || msg === 'WAL checkpoint blocked') return true;
  return code === 'WAL_STUCK' || (msg === 'store recovered' && /cannot empty the WAL/.test(String(reason)));
}

let folder: string;
let path: string;
let server: VictoriaMetrics;
const running = new Set<AgentProcess>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'two-writers-'));
  path = join(folder, 'metrics.db');
  server = await startVictoriaMetrics();
});

afterEach(async () => {
  for (const agent of running) await agent.kill('SIGKILL');
  running.clear();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function start(program: 'collector' | 'uploader'): AgentProcess {
  const agent = new AgentProcess(program, {
    THUGSHELLS_DB_PATH: path,
    THUGSHELLS_DEVICE_ID: 'b1',
    THUGSHELLS_REMOTE_URL: `${server.url}/api/v1/import`,
    THUGSHELLS_INTERVAL: '100ms',
    THUGSHELLS_UPLOAD_INTERVAL: '200ms',
    THUGSHELLS_SYNC_INTERVAL: '1s',
    THUGSHELLS_WAL_CHECKPOINT_SIZE: `${WAL_BYTES / 1024}KiB`,
    THUGSHELLS_DB_MAX_SIZE: `${DB_MAX_BYTES / MIB}MiB`,
    THUGSHELLS_RETENTION: '1m',
    THUGSHELLS_HEALTH_PORT: '0',
  });
  running.add(agent);
  return agent;
}

const limits = divideSpace({ dbMaxBytes: DB_MAX_BYTES, walCheckpointBytes: WAL_BYTES });

/** A database that is nearly full of rows of the last seconds, all of them delivered. */
async function fillUp(): Promise<void> {
  const { store, clock } = storeOn(path, { limits, clock: new FakeClock(Date.now() - 5_000) });
  for (let rows = 0; rows < OLD_ROWS; rows += 1_000) {
    await clock.advance(10);
    store.add(
      scrapeAt(
        clock,
        store,
        Array.from({ length: 1_000 }, (_, index) => reading('a.x', rows, { i: String(index) })),
      ),
    );
    store.flush();
  }
  store.close();
  const database = openDatabase(path);
  deliver(database, OLD_ROWS);
  database.close();
}

function count(database: Database, where: string): number {
  return database.prepare<[], number>(`SELECT COUNT(*) FROM samples WHERE ${where}`).pluck().get()!;
}

test('for a minute two processes write, delete, checkpoint and read at once: nobody meets a lock, and WAL and books stay as they should', async () => {
  await fillUp();
  const collector = start('collector');
  const uploader = start('uploader');
  const reader = openDatabase(path, { readonly: true });
  await until('both work', () => booksOf(reader).delivered > OLD_ROWS + 500);
  const largest = { wal: 0, together: 0 };
  const bytes = (suffix: string): number => statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0;
  for (const endsAt = Date.now() + MINUTE_MS; Date.now() < endsAt; await delay(20)) {
    largest.wal = Math.max(largest.wal, bytes('-wal'));
    largest.together = Math.max(largest.together, bytes('') + bytes('-wal') + bytes('.ballast'));
    expect(booksOf(reader).balanced).toBe(1);
  }
  const { collected, dropped, rejected } = booksOf(reader);
  expect({ dropped, rejected }).toEqual({ dropped: 0, rejected: 0 });
  expect(collected).toBeGreaterThan(OLD_ROWS + 10_000);
  expect(count(reader, `id <= ${OLD_ROWS}`)).toBeLessThan(OLD_ROWS);
  expect(largest.wal).toBeGreaterThan(WAL_BYTES / 2);
  // Where a reader is in the way, on a busy machine, the commit that reaches the limit is the last.
  expect(largest.wal).toBeLessThan(limits.walMaxBytes + ONE_COMMIT_BYTES);
  expect(largest.together).toBeLessThan(DB_MAX_BYTES);
  expect(collector.told('WAL checkpoint').length).toBeGreaterThan(10);
  for (const agent of [collector, uploader]) {
    expect(
      agent.log().filter((line) => (line.level === 'warn' || line.level === 'error') && !isOfABusyMachine(line)),
    ).toEqual([]);
    expect([...agent.lines, ...agent.problems].filter((line) => line.includes('SQLITE_BUSY'))).toEqual([]);
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
  }
  expect(reader.pragma('integrity_check', { simple: true })).toBe('ok');
  expect(booksOf(reader).balanced).toBe(1);
  reader.close();
}, 240_000);
