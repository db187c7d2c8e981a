import { copyFileSync, mkdirSync, renameSync, rmSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import type { AgentProcess } from '../support/agent-process.ts';
import { SidecarWatch } from '../support/sidecar-watch.ts';
import { findDifferences, readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

/** Longer than the checkpoints of these tests are apart. */
const MAX_GAP_MS = 3_000;

let receiver: VictoriaMetrics;
let pair: AgentPair;
let collector: AgentProcess;
let uploader: AgentProcess;
let sidecar: SidecarWatch;

beforeEach(async () => {
  receiver = await startVictoriaMetrics();
  pair = new AgentPair({
    REMOTE_URL: `${receiver.url}/api/v1/import`,
    INTERVAL: '200ms',
    COLLECTORS: 'cpu,memory,self',
    SELF_INTERVAL: '500ms',
    WAL_CHECKPOINT_INTERVAL: '1s',
    LOG_LEVEL: 'debug',
  });
  collector = pair.start('collector');
  uploader = pair.start('uploader');
  sidecar = new SidecarWatch(await endpointOf(uploader));
  await until('samples are collected', () => readBooks(file()).collected > 0);
});

afterEach(async () => {
  await sidecar.stop();
  await pair.remove();
  await receiver.stop();
});

function file(suffix = ''): string {
  return pair.database + suffix;
}

/** Waits until this many more samples than now have been delivered. */
async function untilDelivered(more: number): Promise<void> {
  const from = readBooks(file()).delivered;
  await until(`${more} more samples are delivered`, () => readBooks(file()).delivered >= from + more, 60_000);
}

/** Copies the database as `sqlite3 .backup` does. */
function copyDatabase(to: string): void {
  const database = openDatabase(file(), { readonly: true });
  database.prepare('VACUUM INTO ?').run(to);
  database.close();
}

/** Waits until the collector has logged this. */
async function untilLogged(message: string): Promise<void> {
  await until(`the collector logs “${message}”`, () => collector.told(message).length > 0, 60_000);
}

/** Stops both in order; everything must have arrived by then. */
async function stopBoth(): Promise<void> {
  expect((await collector.stop()).code).toBe(0);
  await until('everything is delivered', () => readBooks(file()).pending === 0, 60_000);
  expect(await sidecar.stop()).toEqual([]);
  expect((await uploader.stop()).code).toBe(0);
}

function readBalanced(): unknown {
  const database = openDatabase(file(), { readonly: true });
  const balanced = database.prepare('SELECT balanced FROM books').pluck().get();
  database.close();
  return balanced;
}

/** The longest time between two scrapes of a collector, by the stored rows. */
function longestGapMs(): number {
  const times = readStoredPoints(file())
    .filter(({ series }) => series.includes('memory_total_bytes'))
    .map(({ timestampMs }) => timestampMs)
    .sort((a, b) => a - b);
  return Math.max(...times.slice(1).map((each, index) => each - times[index]!));
}

/** Expects that the database holds every sample that was ever collected, and the receiver the same ones. */
async function expectNothingLost(before: ReadonlySet<string>): Promise<void> {
  const stored = readStoredPoints(file());
  const keys = new Set(stored.map(({ series, timestampMs }) => `${timestampMs} ${series}`));
  expect([...before].filter((key) => !keys.has(key))).toEqual([]);
  const { collected, delivered, dropped, rejected } = readBooks(file());
  expect({ collected, delivered, dropped, rejected }).toEqual({
    ...{ collected: stored.length, delivered: stored.length, dropped: 0, rejected: 0 },
  });
  expect(readBalanced()).toBe(1);
  expect(longestGapMs()).toBeLessThan(MAX_GAP_MS);
  expect(findDifferences(stored, toStoredPoints(await receiver.export()))).toEqual([]);
}

function storedKeys(): ReadonlySet<string> {
  return new Set(readStoredPoints(file()).map(({ series, timestampMs }) => `${timestampMs} ${series}`));
}

describe('database taken away: nothing is lost while both programs run', () => {
  test.each<[string, () => void]>([
    ['is removed', () => rmSync(file())],
    ['is removed with its WAL and shared memory', () => ['', '-wal', '-shm'].forEach((suffix) => rmSync(file(suffix)))],
    ['is renamed', () => renameSync(file(), join(pair.folder, 'elsewhere.db'))],
    ['is replaced by an older copy by a rename', () => renameSync(join(pair.folder, 'older.db'), file())],
    ['loses its WAL', () => rmSync(file('-wal'))],
    ['loses its shared memory', () => rmSync(file('-shm'))],
    [
      'loses its WAL to a rename, and gets an empty one',
      () => {
        renameSync(file('-wal'), join(pair.folder, 'other-wal'));
        writeFileSync(file('-wal'), '');
      },
    ],
    [
      'is replaced by a folder',
      () => {
        rmSync(file());
        mkdirSync(file());
      },
    ],
  ])(
    'if the database %s',
    async (_, takeAway) => {
      await untilDelivered(300);
      copyDatabase(join(pair.folder, 'older.db'));
      await untilDelivered(300);
      const before = storedKeys();
      takeAway();
      await untilLogged('database restored from open files');
      await until('the uploader has reopened it', () => uploader.told('database replaced, reopening').length > 0);
      await untilDelivered(600);
      await stopBoth();
      await expectNothingLost(before);
    },
    180_000,
  );
});

describe('database taken away: what is written over is booked', () => {
  /** Expects that what the receiver does not have is in the books, that nothing was invented, and nothing booked twice. */
  async function expectBooked(before: ReadonlySet<string>, fromMs: number, toMs: number): Promise<number> {
    const { collected, delivered, dropped, rejected, pending } = readBooks(file());
    expect({ pending, rejected, balanced: readBalanced() }).toEqual({ pending: 0, rejected: 0, balanced: 1 });
    const stored = readStoredPoints(file());
    const received = toStoredPoints(await receiver.export());
    const keyOf = ({ series, timestampMs }: { series: string; timestampMs: number }): string =>
      `${timestampMs} ${series}`;
    const known = new Set([...before, ...stored.map(keyOf)]);
    // The last scrapes before the file was written over are in neither.
    const isKnown = (timestampMs: number, key: string): boolean =>
      known.has(key) || (timestampMs >= fromMs && timestampMs <= toMs);
    expect(received.filter((each) => !isKnown(each.timestampMs, keyOf(each)))).toEqual([]);
    const arrived = new Set(received.map(keyOf));
    expect(
      findDifferences(
        stored,
        received.filter((each) => stored.some((row) => keyOf(row) === keyOf(each))),
      ),
    ).toEqual([]);
    const missing = [...before].filter((key) => !arrived.has(key)).length;
    expect(dropped).toBeGreaterThanOrEqual(missing);
    expect(delivered).toBeLessThanOrEqual(arrived.size);
    expect(collected).toBe(delivered + dropped);
    return missing;
  }

  test.each<[string, string, () => void, string]>([
    [
      'an older copy',
      'while everything is delivered',
      () => copyFileSync(join(pair.folder, 'older.db'), file()),
      'older',
    ],
    ['nothing', 'while everything is delivered', () => truncateSync(file()), ''],
    ['text', 'while everything is delivered', () => writeFileSync(file(), 'This is no database.\n'.repeat(500)), ''],
    [
      'an older copy',
      'while samples are pending',
      () => copyFileSync(join(pair.folder, 'older.db'), file()),
      'pending',
    ],
    ['a cut WAL', 'while samples are pending', () => truncateSync(file('-wal')), 'pending'],
  ])(
    'if the database is written over by %s %s',
    async (_, __, write, kind) => {
      await untilDelivered(300);
      copyDatabase(join(pair.folder, 'older.db'));
      await untilDelivered(300);
      if (kind === 'pending') {
        await receiver.kill();
        const from = readBooks(file()).collected;
        await until('samples are pending', () => readBooks(file()).collected > from + 400, 60_000);
      }
      const fromMs = Date.now() - 2_000;
      const before = storedKeys();
      const { collected } = readBooks(file());
      write();
      await until('the database is new', () => uploader.told('database replaced, reopening').length > 0, 90_000);
      const toMs = Date.now();
      if (kind === 'pending') await receiver.restart();
      await until('the salvage is over', () => collector.told('salvage finished').length > 0, 60_000);
      await untilDelivered(600);
      await stopBoth();
      const missing = await expectBooked(before, fromMs, toMs);
      expect(readBooks(file()).collected).toBeGreaterThan(collected);
      if (kind === 'pending') expect(missing).toBeGreaterThan(0);
    },
    240_000,
  );

  test('a database that is touched, or checkpointed by another program, goes on as it is', async () => {
    await untilDelivered(300);
    utimesSync(file(), new Date(), new Date());
    await untilLogged('database written to, checking');
    await untilDelivered(300);
    const other = openDatabase(file());
    for (let count = 0; count < 5; count++) {
      other.pragma('wal_checkpoint(PASSIVE)');
      await untilDelivered(60);
    }
    other.close();
    await stopBoth();
    expect(collector.told('database written to, checking')).toHaveLength(1);
    expect(uploader.told('database replaced, reopening')).toEqual([]);
    await expectNothingLost(new Set());
  }, 120_000);
});
