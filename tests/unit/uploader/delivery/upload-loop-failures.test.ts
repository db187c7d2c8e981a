import { afterEach, describe, expect, test } from '@jest/globals';

import type { Fault } from '../../../receiver/src/faults.ts';
import { until } from '../../../support/until.ts';
import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

let uploads: RunningUploads;
afterEach(() => uploads.end());

const portal: Fault = { status: 200, body: '<html>Please log in</html>', headers: { 'Content-Type': 'text/html' } };

/** Uploads that wait for their first pass, over `count` rows, to a receiver that fails as it is told to. */
async function underFault(fault: Fault | readonly Fault[], count = 50, settings: UploadSettings = {}): Promise<void> {
  uploads = await RunningUploads.prepare(settings);
  uploads.stored.rows(count);
  uploads.receiver.setFaults(fault);
}

async function passes(count: number): Promise<void> {
  for (let pass = 0; pass < count; pass++) await uploads.pass();
}

describe('nothing is marked, nothing is lost, and one line tells of it, while', () => {
  test.each<[string, Fault, string, string]>([
    ['a captive portal answers', portal, 'away', 'upload failed, will retry'],
    ['the receiver fails', { status: 500 }, 'away', 'upload failed, will retry'],
    ['the receiver is full', { status: 503 }, 'away', 'upload failed, will retry'],
    ['a proxy limits the rate', { status: 429 }, 'away', 'upload failed, will retry'],
    ['answers are cut short', { status: 200, body: '{"accepted": 5' }, 'away', 'upload failed, will retry'],
    ['connections break', { cutConnection: true }, 'away', 'upload failed, will retry'],
    ['the token is refused', { status: 401 }, 'held', 'uploads paused: rejected by receiver'],
    ['the path is not the import path', { status: 404 }, 'held', 'uploads paused: rejected by receiver'],
    [
      'a redirect leads elsewhere',
      { status: 302, headers: { Location: 'http://127.0.0.1:1/' } },
      'held',
      'uploads paused: rejected by receiver',
    ],
    ['even single samples are refused', { status: 400, body: 'no' }, 'held', 'uploads paused: rejected by receiver'],
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

describe('a receiver that refuses every sample', () => {
  test('is asked no more often than the search for one bad sample would take', async () => {
    await underFault({ status: 400 });
    await uploads.pass();
    expect(uploads.posts.length).toBeLessThanOrEqual(1 + 2 * Math.ceil(Math.log2(51)) + 2);
  });

  test('does not make a single pending sample look bad', async () => {
    await underFault({ status: 400 }, 1);
    await uploads.pass();
    expect([uploads.books.rejected, uploads.books.pending, uploads.state.condition]).toEqual([0, 1, 'held']);
  });
});

describe('an answer that is eaten after everything was stored', () => {
  test('makes the same batch come again, and nothing new is to be seen (A-52)', async () => {
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

  test('does not touch the chunks before it, which are committed at once', async () => {
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

describe('a connection that ends', () => {
  test('makes pending again what it carried last, which is sent again once', async () => {
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

  test('as it announced keeps everything delivered, pass after pass', async () => {
    await underFault({ headers: { Connection: 'close' } }, 120);
    await passes(3);
    uploads.stored.rows(10);
    await passes(3);
    expect(uploads.books).toMatchObject({ delivered: 130, pending: 0 });
    expect([uploads.receiver.duplicates(), uploads.posts.length]).toEqual([0, 4]);
  });

  test('behind a proxy, which says 502 and keeps its own connection, counts as one', async () => {
    await underFault([]);
    await uploads.pass();
    uploads.stored.rows(10);
    uploads.receiver.setFaults({ status: 502, count: 1 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 0, pending: 60 });
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 60, pending: 0 });
  });

  test('between two tries of one pass costs nothing but the second try', async () => {
    await underFault({ cutConnection: true, count: 2 }, 50, { retryAttempts: 3 });
    await uploads.pass();
    expect([uploads.clock.sleeps, uploads.books.pending]).toEqual([[5_000], 50]);
    await uploads.pass();
    await uploads.pass();
    expect([uploads.books.delivered, uploads.receiver.duplicates()]).toEqual([50, 0]);
    expect(uploads.log.messages('warn', 'error')).toEqual([]);
  });
});

describe('before a long wait', () => {
  test('a request without a body confirms what the pass delivered', async () => {
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

  test('a fault in that does not end the uploads', async () => {
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

test('acknowledgements that cannot be written stay in memory, are not sent again, and are written when they can be', async () => {
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

describe('a stop', () => {
  test('while the loop waits ends it at once', async () => {
    await underFault([]);
    await uploads.pass();
    await uploads.stop();
    expect(uploads.books.delivered).toBe(50);
  });

  test('lets the request in flight end, and sends no further one', async () => {
    await underFault({ delayMs: 100 }, 120);
    uploads.start();
    await until('the first post is under way', () => uploads.posts.length === 1);
    await uploads.stop();
    expect([uploads.posts.length, uploads.books.delivered]).toEqual([1, 50]);
  });

  test('abandons a request that hangs after its grace, and marks nothing', async () => {
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

describe('the loop is live', () => {
  test('while it waits and posts, and no longer when it should have come further', async () => {
    await underFault({ hang: true });
    expect(uploads.loop.isLive).toBe(true);
    uploads.start();
    await until('the post is under way', () => uploads.posts.length === 1);
    await uploads.clock.advance(30 * 60_000);
    expect(uploads.loop.isLive).toBe(true);
    await uploads.clock.advance(1);
    expect(uploads.loop.isLive).toBe(false);
  });

  test('through a wait that was chosen, however long', async () => {
    await underFault([], 0, { uploadIntervalMs: 86_400_000 });
    await uploads.pass();
    await uploads.clock.advance(86_399_000);
    expect(uploads.loop.isLive).toBe(true);
  });
});
