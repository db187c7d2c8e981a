// Longer than a test should be: each way in which an upload fails is a case, followed to the recovery.
import { afterEach, describe, expect, test } from '@jest/globals';

import type { Fault } from '../../../receiver/src/faults.ts';
import { until } from '../../../support/until.ts';
import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

let uploads: RunningUploads;
afterEach(() => uploads.end());

const portal: Fault = { status: 200, body: '<html>Please log in</html>', headers: { 'Content-Type': 'text/html' } };

/** Prepares uploads of `count` rows to a receiver with faults. */
async function underFault(fault: Fault | readonly Fault[], count = 50, settings: UploadSettings = {}): Promise<void> {
  uploads = await RunningUploads.prepare(settings);
  uploads.stored.rows(count);
  uploads.receiver.setFaults(fault);
}

async function passes(count: number): Promise<void> {
  for (let pass = 0; pass < count; pass++) await uploads.pass();
}

describe('upload loop: marks nothing, loses nothing and logs one line while', () => {
  test.each<[string, Fault, string, string]>([
    ['a captive portal responds', portal, 'away', 'upload failed, will retry'],
    ['the receiver fails', { status: 500 }, 'away', 'upload failed, will retry'],
    ['the receiver is full', { status: 503 }, 'away', 'upload failed, will retry'],
    ['a proxy limits the rate', { status: 429 }, 'away', 'upload failed, will retry'],
    ['responses are truncated', { status: 200, body: '{"accepted": 5' }, 'away', 'upload failed, will retry'],
    ['connections break', { cutConnection: true }, 'away', 'upload failed, will retry'],
    ['the token is rejected', { status: 401 }, 'held', 'uploads paused: rejected by receiver'],
    ['the path is not the import path', { status: 404 }, 'held', 'uploads paused: rejected by receiver'],
    [
      'a redirect leads elsewhere',
      { status: 302, headers: { Location: 'http://127.0.0.1:1/' } },
      'held',
      'uploads paused: rejected by receiver',
    ],
    ['even single samples are rejected', { status: 400, body: 'no' }, 'held', 'uploads paused: rejected by receiver'],
  ])('%s', async (_, fault, condition, line) => {
    await underFault(fault);
    await passes(3);
    expect(uploads.books).toEqual({ collected: 50, delivered: 0, pending: 50, rejected: 0, dropped: 0 });
    expect([uploads.state.condition, uploads.log.messages()]).toEqual([condition, [line]]);
    // A portal's or a proxy's Date is not the receiver's.
    expect(uploads.receiverClock.isKnown).toBe(false);
    uploads.receiver.clearFaults();
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 50, pending: 0 });
    expect(uploads.log.messages()).toEqual([line, 'receiver recovered', 'uploaded']);
    expect([uploads.state.condition, uploads.state.reason, uploads.visible.length]).toEqual(['taking', '', 50]);
    expect(uploads.receiverClock.isKnown).toBe(true);
  });
});

describe('upload loop with a receiver that rejects every sample:', () => {
  test('sends two requests in ten seconds, however short the interval, and then ever fewer', async () => {
    await underFault({ status: 400 }, 120, { uploadIntervalMs: 1_000, retryInitialMs: 100, retryMaxMs: 60_000 });
    await passes(6);
    const times = uploads.posts.map(({ atMs }) => atMs - uploads.posts[0]!.atMs);
    expect(times).toEqual([0, 5_000, 20_000, 65_000, 125_000, 185_000]);
  });

  test('does not reject a single pending sample', async () => {
    await underFault({ status: 400 }, 1);
    await passes(5);
    expect([uploads.books.rejected, uploads.books.pending, uploads.state.condition]).toEqual([0, 1, 'held']);
  });
});

describe('upload loop with a receiver that refuses the credentials or the address:', () => {
  test.each([401, 403, 404])('sends one request after %d, and the next ones by the backoff', async (status) => {
    await underFault({ status }, 120, { uploadIntervalMs: 1_000, retryAttempts: 3 });
    await passes(4);
    const times = uploads.posts.map(({ atMs }) => atMs - uploads.posts[0]!.atMs);
    expect(times).toEqual([0, 5_000, 20_000, 65_000]);
  });
});

describe('upload loop after a lost response:', () => {
  test('sends the same batch again, which stores nothing new (A-52)', async () => {
    await underFault({ eatResponse: true, count: 1 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 0, pending: 50 });
    const before = uploads.visible;
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 50, pending: 0 });
    expect([uploads.receiver.duplicates(), uploads.visible]).toEqual([50, before]);
    const [first, second] = uploads.posts;
    expect([second!.samples, second!.bytes]).toEqual([first!.samples, first!.bytes]);
  });

  test('commits the chunks before the lost response at once', async () => {
    // Twice: the first time looks like the end of a connection that was kept too long.
    await underFault([{ eatResponse: true, when: { contains: '1700000060000' }, count: 2 }], 120, {
      replayWindowMs: 0,
    });
    await uploads.pass();
    expect(uploads.stored.idsOf('delivered')).toHaveLength(50);
    await uploads.pass();
    expect([uploads.books.pending, uploads.receiver.duplicates()]).toEqual([0, 100]);
  });
});

describe('upload loop when a connection ends:', () => {
  test('requeues what the connection carried last, and sends it again once', async () => {
    await underFault([]);
    await uploads.pass();
    for (let round = 0; round < 2; round++) {
      uploads.receiver.dropConnections();
      await until('the end of the connection is noticed', () => round > 0 || uploads.books.pending === 50);
      await uploads.pass();
      expect(uploads.books).toMatchObject({ delivered: 50, pending: 0 });
    }
    expect([uploads.receiver.duplicates(), uploads.visible.length]).toEqual([50, 50]);
  });

  test('requeues nothing if the receiver announced the close', async () => {
    await underFault({ headers: { Connection: 'close' } }, 120);
    await passes(3);
    uploads.stored.rows(10);
    await passes(3);
    expect(uploads.books).toMatchObject({ delivered: 130, pending: 0 });
    expect([uploads.receiver.duplicates(), uploads.posts.length]).toEqual([0, 4]);
  });

  test('requeues as well if a proxy responds 502 and keeps its own connection open', async () => {
    await underFault([]);
    await uploads.pass();
    uploads.stored.rows(10);
    uploads.receiver.setFaults({ status: 502, count: 1 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 0, pending: 60 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 60, pending: 0 });
  });

  test('only retries if the connection ends between two attempts of one cycle', async () => {
    await underFault({ cutConnection: true, count: 2 }, 50, { retryAttempts: 3 });
    await uploads.pass();
    expect([uploads.clock.sleeps, uploads.books.pending]).toEqual([[5_000], 50]);
    await uploads.pass();
    await uploads.pass();
    expect([uploads.books.delivered, uploads.receiver.duplicates()]).toEqual([50, 0]);
    expect(uploads.log.messages('warn', 'error')).toEqual(['upload failed, will retry', 'receiver recovered']);
  });
});

describe('upload loop: an attempt that fails', () => {
  test('is known at once, with its reason and the time of the next one, and is no line if that comes soon', async () => {
    await underFault({ status: 503, count: 1 }, 50, { retryAttempts: 3 });
    const startedAtMs = uploads.clock.now();
    await uploads.pass();
    const { condition, reason, nextAttemptAtMs } = uploads.state;
    expect([condition, reason, nextAttemptAtMs]).toEqual(['away', 'HTTP 503', startedAtMs + 5_000]);
    await uploads.pass();
    expect([uploads.state.condition, uploads.state.nextAttemptAtMs]).toEqual(['taking', undefined]);
    expect(uploads.log.messages('warn', 'error')).toEqual([]);
  });

  test('is a line in the log at once if the receiver asks for a long wait, in which the loop lives on', async () => {
    await underFault({ status: 503, headers: { 'retry-after': '900' } }, 50, { retryAttempts: 5 });
    await uploads.pass();
    expect(uploads.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      {
        message: 'upload failed, will retry',
        fields: { error: 'HTTP 503', http_status: 503, next_attempt_ms: 900_000 },
      },
    ]);
    for (let attempt = 2; attempt <= 5; attempt++) {
      await uploads.pass();
      expect(uploads.loop.isLive).toBe(true);
    }
    expect(uploads.posts).toHaveLength(5);
  });

  test('is followed by none before the backoff is over, whichever cycle is next', async () => {
    await underFault({ status: 503, alsoHealth: true }, 50, { retryAttempts: 3, uploadIntervalMs: 10_000 });
    for (let step = 0; step < 40; step++) await uploads.pass();
    const times = uploads.posts.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(5);
    const waits = times.slice(1).map((atMs, index) => atMs - times[index]!);
    expect(Math.min(...waits)).toBeGreaterThanOrEqual(5_000);
  });

  test('is followed by no request before the time that the receiver asked for, also not by a probe', async () => {
    const fault = { status: 429, headers: { 'retry-after': '60' }, alsoHealth: true };
    await underFault(fault, 50, { retryAttempts: 1, uploadIntervalMs: 10_000, probeIntervalMs: 5_000 });
    for (let step = 0; step < 20; step++) await uploads.pass();
    const times = uploads.receiver.requests.map(({ atMs }) => atMs);
    expect(times.length).toBeGreaterThan(2);
    expect(times[1]! - times[0]!).toBeGreaterThanOrEqual(60_000);
  });
});

describe('upload loop before a long wait:', () => {
  test('confirms what the cycle delivered by a request without a body', async () => {
    await underFault([], 50, { uploadIntervalMs: 300_000 });
    await uploads.pass();
    expect(uploads.clock.sleeps).toEqual([15_000]);
    expect(uploads.stored.number('SELECT COUNT(*) FROM provisional')).toBe(1);
    await uploads.pass();
    const last = uploads.receiver.requests.at(-1)!;
    expect([last.method, last.path, last.connection]).toEqual(['HEAD', '/health', uploads.posts[0]!.connection]);
    expect(uploads.stored.number('SELECT COUNT(*) FROM provisional')).toBe(0);
    expect(uploads.clock.nextWakeMs).toBe(285_000);
  });

  test('continues after an error of that confirmation', async () => {
    await underFault([], 50, { uploadIntervalMs: 300_000 });
    await uploads.pass();
    uploads.stored.database.exec(
      `CREATE TRIGGER full BEFORE DELETE ON provisional BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    await uploads.pass();
    expect(uploads.log.messages('error')).toEqual(['upload cycle failed']);
    uploads.stored.database.exec('DROP TRIGGER full');
    await uploads.pass();
    expect([uploads.clock.sleeping, uploads.books.delivered]).toEqual([1, 50]);
  });
});

test('upload loop: keeps acknowledgements that cannot be stored in memory, sends no sample again, and stores them later', async () => {
  await underFault([]);
  uploads.stored.database.exec(
    `CREATE TRIGGER full BEFORE INSERT ON settled BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
  );
  await passes(3);
  expect([uploads.state.condition, uploads.log.messages('error')]).toEqual(['fault', ['upload cycle failed']]);
  expect([uploads.posts.length, uploads.books.pending]).toEqual([1, 50]);
  uploads.stored.database.exec('DROP TRIGGER full');
  await uploads.pass();
  expect([uploads.posts.length, uploads.books.pending, uploads.receiver.duplicates()]).toEqual([1, 0, 0]);
});

describe('upload loop at a stop:', () => {
  test('ends a wait at once', async () => {
    await underFault([]);
    await uploads.pass();
    await uploads.stop();
    expect(uploads.books.delivered).toBe(50);
  });

  test('finishes the request in flight, and sends no further one', async () => {
    await underFault({ delayMs: 100 }, 120);
    uploads.start();
    await until('the first post is under way', () => uploads.posts.length === 1);
    await uploads.stop();
    expect([uploads.posts.length, uploads.books.delivered]).toEqual([1, 50]);
  });

  test('abandons a request that hangs after the grace period, and marks nothing', async () => {
    await underFault({ hang: true });
    uploads.start();
    await until('the post is under way', () => uploads.posts.length === 1);
    const stopped = uploads.stop();
    expect(uploads.clock.nextWakeMs).toBe(4_000);
    await uploads.clock.advance(4_000);
    await stopped;
    expect([uploads.books.pending, uploads.log.messages('error')]).toEqual([50, []]);
  });
});

describe('upload loop: is live', () => {
  test('while it waits or sends, until it has made no progress for 30 minutes', async () => {
    await underFault({ hang: true });
    expect(uploads.loop.isLive).toBe(true);
    uploads.start();
    await until('the post is under way', () => uploads.posts.length === 1);
    await uploads.clock.advance(30 * 60_000);
    expect(uploads.loop.isLive).toBe(true);
    await uploads.clock.advance(1);
    expect(uploads.loop.isLive).toBe(false);
  });

  test('while each response takes a minute, for longer than half an hour, and each is an upload', async () => {
    const states: (readonly [isLive: boolean, sinceUploadMs: number])[] = [];
    const onAttempt = (): void => {
      void uploads.clock.advance(60_000);
      const { lastDelivery } = uploads.state;
      if (lastDelivery !== undefined) states.push([uploads.loop.isLive, uploads.clock.now() - lastDelivery.atMs]);
    };
    await underFault([], 2_000, { onAttempt, uploadIntervalMs: 3 * 3_600_000 });
    await uploads.pass();
    expect(states).toHaveLength(39);
    expect(new Set(states.map(([isLive]) => isLive))).toEqual(new Set([true]));
    expect(Math.max(...states.map(([, sinceUploadMs]) => sinceUploadMs))).toBe(60_000);
  });

  test('during an intended wait, however long', async () => {
    await underFault([], 0, { uploadIntervalMs: 86_400_000 });
    await uploads.pass();
    await uploads.clock.advance(86_399_000);
    expect(uploads.loop.isLive).toBe(true);
  });
});
