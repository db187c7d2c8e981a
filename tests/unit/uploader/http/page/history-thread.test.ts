import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { HistoryThread } from '../../../../../uploader/src/http/page/history-thread.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import { StoredSamples } from '../../../../support/uploader/stored-samples.ts';

/** The built worker: threads run JavaScript. */
const workerFile = join(import.meta.dirname, '../../../../../uploader/src/http/page/history-worker.ts');
const NOW = 1_700_000_000_000;
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
  expect(JSON.parse(await thread.read())).toMatchObject({
    to: NOW / 1000,
    plots: [{ title: 'Load', lines: [{ values: [3, 2, 1] }] }],
  });
  expect(thread.isRunning).toBe(true);
  await thread.close();
  expect(thread.isRunning).toBe(false);
});

test('history thread: reads once for all requests within 5 s', async () => {
  const [first, second] = await Promise.all([thread.read(), thread.read()]);
  await clock.advance(4_999);
  expect([second, await thread.read()]).toEqual([first, first]);
  await clock.advance(1);
  expect(await thread.read()).not.toBe(first);
});

test('history thread: a database that cannot be read is an error, and the next request starts a new thread', async () => {
  const elsewhere = new HistoryThread({
    clock,
    databasePath: '/nowhere/at/all.db',
    workerFile,
    nowMs: () => clock.now(),
  });
  await expect(elsewhere.read()).rejects.toMatchObject({ code: 'HISTORY_UNREADABLE' });
  expect(elsewhere.isRunning).toBe(false);
  await expect(elsewhere.read()).rejects.toMatchObject({ code: 'HISTORY_UNREADABLE' });
});

test('history thread: ends 30 s after the last request, and not before', async () => {
  await thread.read();
  await clock.advance(20_000);
  await thread.read();
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
  const reading = expect(hung.read()).rejects.toMatchObject({
    code: 'HISTORY_UNREADABLE',
    cause: { message: 'no answer from the thread in time' },
  });
  await clock.advance(10_000);
  await reading;
  expect(hung.isRunning).toBe(false);
});
