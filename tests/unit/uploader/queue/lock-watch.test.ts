import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { LockWatch } from '../../../../uploader/src/queue/lock-watch.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { holdLock, type LockHolder } from '../../../support/lock-holder.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let clock: FakeClock;
let lockedForMs: number | undefined;
let watch: LockWatch;
let holder: LockHolder | undefined;

beforeEach(() => {
  stored = new StoredSamples();
  clock = new FakeClock();
  lockedForMs = undefined;
  const acknowledgements = {
    get lockedForMs() {
      return lockedForMs;
    },
  };
  watch = new LockWatch(stored.database, { clock, path: stored.path, acknowledgements });
});
afterEach(async () => {
  await holder?.release();
  holder = undefined;
  stored.remove();
});

test('lock watch: names the holder once nothing has been stored for a while, and for some seconds after the lock', async () => {
  holder = await holdLock(stored.path);
  const lock = { description: `the database is locked by node (pid ${holder.pid})`, delaysAcknowledgements: false };
  expect([watch.find(2_999), watch.find(3_000)]).toEqual([undefined, lock]);
  await holder.release();
  expect([watch.find(6_000), watch.find(0)]).toEqual([lock, undefined]);
  await clock.advance(15_001);
  expect(watch.find(21_000)).toBeUndefined();
});

test('lock watch: says that acknowledgements wait once they have waited for five seconds', async () => {
  holder = await holdLock(stored.path);
  lockedForMs = 4_999;
  expect(watch.find(0)).toBeUndefined();
  lockedForMs = 5_000;
  expect(watch.find(0)).toMatchObject({ delaysAcknowledgements: true });
});

test('lock watch: without a lock there is nothing to name', () => {
  expect(watch.find(60_000)).toBeUndefined();
});
