import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { HistoryThread } from '../../../../../uploader/src/http/page/history-thread.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { StoredSamples } from '../../../../support/uploader/stored-samples.ts';

const workerFile = join(import.meta.dirname, '../../../../../uploader/src/http/page/history-worker.ts');
const NOW = 1_700_000_000_000;
const HOUR = { hours: 1, parts: [] } as const;
const folder = useTemporaryFolder();
let stored: StoredSamples;
let clock: FakeClock;
let thread: HistoryThread;

beforeEach(() => {
  stored = new StoredSamples();
  clock = new FakeClock(NOW);
  thread = new HistoryThread({ clock, databasePath: stored.path, workerFile, nowMs: () => clock.now() });
});
afterEach(async () => {
  await thread.close();
  stored.remove();
});

test('history thread: exists only after the hour was requested', async () => {
  expect(thread.isRunning).toBe(false);
  const load = stored.series('load.average_1m');
  for (const minutes of [3, 2, 1]) stored.add(load, NOW - minutes * 60_000, minutes);
  expect(JSON.parse(await thread.read(HOUR))).toMatchObject({
    to: NOW / 1000,
    plots: [{ title: 'Load', lines: [{ values: [3, 2, 1] }] }],
  });
  expect(thread.isRunning).toBe(true);
  await thread.close();
  expect(thread.isRunning).toBe(false);
});

test('history thread: reads once for all requests within 5 s', async () => {
  const [first, second] = await Promise.all([thread.read(HOUR), thread.read(HOUR)]);
  await clock.advance(4_999);
  expect([second, await thread.read(HOUR)]).toEqual([first, first]);
  await clock.advance(1);
  expect(await thread.read(HOUR)).not.toBe(first);
});

test('history thread: reads each range by itself, and continues one whose older part is missing half a second later', async () => {
  const load = stored.series('load.average_1m');
  stored.database.transaction(() => {
    for (let row = 110_000; row > 0; row--) stored.add(load, NOW - row * 500, row);
  })();
  const day = { hours: 24, parts: [] } as const;
  const first = await thread.read(day);
  expect(await thread.read(HOUR)).not.toBe(first);
  expect(JSON.parse(first)).toMatchObject({ isCutShort: true });
  await clock.advance(499);
  expect(await thread.read(day)).toBe(first);
  for (let times = 0; (JSON.parse(await thread.read(day)) as { isCutShort: boolean }).isCutShort; times++) {
    expect(times).toBeLessThan(100);
    await clock.advance(500);
  }
  expect(JSON.parse(await thread.read(day))).toMatchObject({ readFrom: NOW / 1000 - 55_000 });
});

test('history thread: has the facts of the device, and those of before while the database cannot be read', async () => {
  expect(await thread.readDevice()).toBeUndefined();
  stored.add(stored.series('system.model', { valueType: 1 }), NOW - 1_000, 'Raspberry Pi 4');
  await clock.advance(5_000);
  const facts = await thread.readDevice();
  expect(facts).toMatchObject({ model: 'Raspberry Pi 4', atMs: NOW - 1_000 });
  stored.database.exec('DROP TABLE samples');
  await clock.advance(5_000);
  expect(await thread.readDevice()).toEqual(facts);
});

test('history thread: a database that cannot be read is an error, and the next request starts a new thread', async () => {
  const elsewhere = new HistoryThread({
    clock,
    databasePath: '/nowhere/at/all.db',
    workerFile,
    nowMs: () => clock.now(),
  });
  await expect(elsewhere.read(HOUR)).rejects.toMatchObject({ code: 'HISTORY_UNREADABLE' });
  expect(elsewhere.isRunning).toBe(false);
  await expect(elsewhere.read(HOUR)).rejects.toMatchObject({ code: 'HISTORY_UNREADABLE' });
});

test('history thread: ends 30 s after the last request, and not before', async () => {
  await thread.read(HOUR);
  await clock.advance(20_000);
  await thread.read(HOUR);
  await clock.advance(29_999);
  expect(thread.isRunning).toBe(true);
  await clock.advance(1);
  expect(thread.isRunning).toBe(false);
});

test('history thread: a worker that does not answer within 10 s is an error, and is ended', async () => {
  const hanging = folder.path('hanging.mjs');
  writeFileSync(hanging, 'setInterval(() => undefined, 1_000);\n');
  const hung = folder.keep(
    new HistoryThread({ clock, databasePath: stored.path, workerFile: hanging, nowMs: () => clock.now() }),
  );
  const first = hung.read(HOUR);
  const reading = expect(first).rejects.toMatchObject({
    code: 'HISTORY_UNREADABLE',
    cause: { message: 'no answer from the thread in time' },
  });
  await clock.advance(9_000);
  // Older than a result is kept, and still read: nothing gathers behind it.
  const second = hung.read(HOUR);
  await clock.advance(1_000);
  await reading;
  await expect(second).rejects.toBe(await first.catch((error: unknown) => error));
  expect(hung.isRunning).toBe(false);
});
