import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';

import { BoardWithWrongClock } from '../support/board-with-wrong-clock.ts';
import { SwitchingProxy, type PortalAnswer } from '../support/switching-proxy.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Tolerance: two clocks are read one after the other. */
const EXACT_MS = 50;
/** Resolution of the header Date. */
const DATE_MS = 1_000;

const folder = useTemporaryFolder();
let server: VictoriaMetrics;
let portal: SwitchingProxy;
let board: BoardWithWrongClock;
let boots: number;

beforeAll(async () => {
  server = await startVictoriaMetrics();
  portal = await SwitchingProxy.start(server.url);
}, 120_000);
afterAll(async () => {
  await portal.stop();
  await server.stop();
});
beforeEach(() => {
  boots = 0;
  portal.answer = undefined;
});
afterEach(() => board.close());

/** Boots a device with a clock that is wrong by `offsetMs`. */
function boot(offsetMs: number, policy: 'hold' | 'correct' = 'hold'): BoardWithWrongClock {
  board = new BoardWithWrongClock({
    path: folder.path('metrics.db'),
    remoteOrigin: portal.url,
    offsetMs,
    bootId: `boot-${(boots += 1)}`,
    policy,
  });
  return board;
}

async function scrapes(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await board.scrape();
}

/** Reads value → time of the samples that the server holds since this test began. */
async function stored(since: number): Promise<Map<number, number>> {
  const series = await server.export('{__name__="test_turn"}');
  return new Map(
    series
      .flatMap(({ values, timestamps }) => values.map((value, index): [number, number] => [value, timestamps[index]!]))
      .filter(([, time]) => time >= since),
  );
}

/** Checks that the server holds each scraped sample once, at its corrected time within a tolerance, and nothing else. */
async function expectTrueTimes(
  begun: number,
  toleranceMs: number,
  offsetOf: (value: number) => number = () => 0,
): Promise<void> {
  const found = await stored(begun - 10 * DAY);
  const expected = new Map([...board.truth].map(([time, value]): [number, number] => [value, time + offsetOf(value)]));
  expect([...found.keys()].sort((a, b) => a - b)).toEqual([...expected.keys()]);
  for (const [value, time] of found) expect(Math.abs(time - expected.get(value)!)).toBeLessThanOrEqual(toleranceMs);
}

describe('wrong clocks: VictoriaMetrics holds corrected times only:', () => {
  let begun: number;
  beforeEach(async () => {
    begun = Date.now();
    await fetch(`${server.url}/api/v1/admin/tsdb/delete_series?match[]=test_turn`, { method: 'POST' });
  });

  test('a clock at 1970 that is set: samples are held and sent with corrected times', async () => {
    boot(-begun);
    await scrapes(5);
    await board.upload();
    expect([board.pending, (await stored(0)).size]).toEqual([5, 0]);
    await scrapes(2);
    board.clock.offsetMs = 0;
    await scrapes(3);
    await board.upload();
    expect(board.pending).toBe(0);
    await expectTrueTimes(begun, EXACT_MS);
  });

  test('a clock three days ahead that is set: its samples are held, and do not hold later ones (A-36)', async () => {
    boot(3 * DAY);
    await board.upload();
    await scrapes(5);
    await board.upload();
    expect([board.pending, (await stored(0)).size]).toEqual([5, 0]);
    board.clock.offsetMs = 0;
    await scrapes(3);
    await board.upload();
    expect(board.pending).toBe(0);
    await expectTrueTimes(begun, EXACT_MS);
  });

  test('a clock that was set an hour back: samples before and after are sent with the times of their clocks', async () => {
    boot(0);
    await scrapes(3);
    board.clock.offsetMs = -HOUR;
    await scrapes(3);
    await board.upload();
    expect(board.log.said('warn')).toEqual(['warn: wall clock stepped', 'warn: clock skew exceeds limit']);
    board.clock.offsetMs = 0;
    await scrapes(3);
    await board.upload();
    expect(board.pending).toBe(0);
    await expectTrueTimes(begun, EXACT_MS, (value) => (value > 3 && value <= 6 ? -HOUR : 0));
  });

  test.each([3_000, -3_000])('a clock that drifts by %d ms: samples follow it and are sent', async (driftMs) => {
    boot(0);
    const offsets = new Map<number, number>();
    for (let turn = 1; turn <= 30; turn++) {
      board.clock.offsetMs = (driftMs * turn) / 30;
      offsets.set(turn, board.clock.offsetMs);
      await scrapes(1);
    }
    await board.upload();
    expect(board.pending).toBe(0);
    expect(board.log.said('warn')).toEqual(['warn: clock skew exceeds limit']);
    await expectTrueTimes(begun, 600 + EXACT_MS, (value) => offsets.get(value)!);
  });

  test('a machine that was suspended for an hour: no sample is moved', async () => {
    boot(-HOUR);
    await scrapes(3);
    board.clock.offsetMs = 0;
    board.clock.hasBeenSuspended(HOUR);
    await scrapes(3);
    await board.upload();
    expect(board.pending).toBe(0);
    await expectTrueTimes(begun, EXACT_MS, (value) => (value <= 3 ? -HOUR : 0));
  });

  test.each([
    ['at 1970', -1.7e12],
    ['an hour behind', -HOUR],
    ['three days ahead', 3 * DAY],
  ])('a clock %s that is never set: samples are stamped by the receiver’s clock', async (_, offsetMs) => {
    boot(offsetMs, 'correct');
    await scrapes(3);
    await board.upload();
    await scrapes(3);
    await board.upload();
    expect(board.pending).toBe(0);
    await expectTrueTimes(begun, DATE_MS);
  });

  test('samples of a boot without a corrected clock are rejected with the reason, and later ones are sent', async () => {
    boot(-begun);
    await scrapes(4);
    await board.close();
    boot(0);
    await scrapes(3);
    await board.upload();
    expect([board.pending, board.rejected, (await stored(0)).size]).toEqual([0, 4, 3]);
    await expectTrueTimes(begun, EXACT_MS);
  });

  describe('times of a portal:', () => {
    const LONG_AGO = 'Tue, 11 Sep 2001 12:00:00 GMT';
    const login = '<html>Please log in</html>';
    const portals: readonly (readonly [string, () => PortalAnswer])[] = [
      ['a redirect of 2001', () => ({ status: 302, headers: { date: LONG_AGO, location: 'http://login.example/' } })],
      ['a page of 2001', () => ({ status: 200, headers: { date: LONG_AGO }, body: login })],
      ['a proxy’s 503 of 2001', () => ({ status: 503, headers: { date: LONG_AGO } })],
    ];
    const pageAheadBy = (aheadMs: number) => (): PortalAnswer => ({
      status: 200,
      headers: { date: new Date(Date.now() + aheadMs).toUTCString() },
      body: login,
    });

    test.each([...portals, ['a page three days ahead', pageAheadBy(3 * DAY)] as const])(
      '%s in an outage changes no time, holds nothing and rejects nothing',
      async (_, answer) => {
        boot(0);
        await scrapes(2);
        await board.upload();
        portal.answer = answer();
        await scrapes(3);
        expect(await board.attemptUpload()).toBe(false);
        expect(Math.abs(board.skew.skewMs!)).toBeLessThan(2 * DATE_MS);
        await scrapes(2);
        portal.answer = undefined;
        await board.upload();
        expect([board.pending, board.rejected]).toEqual([0, 0]);
        await expectTrueTimes(begun, EXACT_MS);
      },
    );

    test.each([
      ...portals.map(([name, answer]) => [name, 'hold', answer] as const),
      ...portals.map(([name, answer]) => [name, 'correct', answer] as const),
      ['a page three days ahead', 'hold', pageAheadBy(3 * DAY)] as const,
      ['a page three days behind', 'hold', pageAheadBy(-3 * DAY)] as const,
      ['a page three days ahead', 'correct', pageAheadBy(3 * DAY)] as const,
      ['a page 13 years ahead', 'correct', pageAheadBy(13 * 365 * DAY)] as const,
    ])('%s at the start, under the policy %s: all samples arrive with true times', async (_, policy, answer) => {
      boot(0, policy);
      portal.answer = answer();
      await board.attemptUpload();
      await scrapes(3);
      await board.attemptUpload();
      expect(board.pending).toBe(3);
      portal.answer = undefined;
      await board.upload();
      await scrapes(2);
      await board.upload();
      expect([board.pending, board.rejected]).toEqual([0, 0]);
      await expectTrueTimes(begun, policy === 'correct' ? DATE_MS : EXACT_MS);
    });

    test.each([302, 407, 503])(
      'a status %d that no receiver gives teaches no time, however plausible',
      async (status) => {
        boot(0);
        portal.answer = { ...pageAheadBy(3 * DAY)(), status };
        expect(await board.attemptUpload()).toBe(true);
        expect(board.skew.isKnown).toBe(false);
      },
    );

    test('a response that a cache has kept for a quarter of an hour is read as of now', async () => {
      boot(0);
      const date = new Date(Date.now() - 900_000).toUTCString();
      portal.answer = { status: 200, headers: { date, age: '900', 'x-server-hostname': 'cached' } };
      await board.attemptUpload();
      expect(Math.abs(board.skew.skewMs!)).toBeLessThan(2 * DATE_MS);
    });
  });
});
