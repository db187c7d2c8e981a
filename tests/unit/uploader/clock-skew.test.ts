import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { startReceiver, type Receiver } from '../../receiver/src/server.js';
import { ClockSkew, median, skewOf } from '../../../uploader/src/clock-skew.js';
import { VictoriaMetrics } from '../../../uploader/src/victoriametrics.js';
import { FakeClock } from '../../support/fake-clock.js';
import { LogRecord } from './log-record.js';
import { StoredSamples } from './stored-samples.js';
import { straight } from './straight-way.js';

const never = new AbortController().signal;
const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT';
const DATE_MS = 1_700_000_000_000;

describe('skew', () => {
  test('is positive where this clock is ahead; half a second is added for what a Date does not say', () => {
    expect(skewOf(DATE, DATE_MS + 10_400, DATE_MS + 10_600)).toBe(10_000);
    expect(skewOf(DATE, DATE_MS - 9_500, DATE_MS - 9_500)).toBe(-10_000);
  });

  test('is taken in the middle between request and answer', () => {
    expect(skewOf(DATE, DATE_MS, DATE_MS + 1_000)).toBe(0);
  });

  test.each([undefined, '', 'today'])('is none without a Date: %p', (date) => {
    expect(skewOf(date, DATE_MS, DATE_MS)).toBeUndefined();
  });

  test('of a clock that is right is at most half a second, wherever in the second the answer was made', () => {
    fc.assert(
      fc.property(fc.integer({ min: DATE_MS, max: DATE_MS + 86_400_000 }), (nowMs) => {
        expect(Math.abs(skewOf(new Date(nowMs).toUTCString(), nowMs, nowMs)!)).toBeLessThanOrEqual(500);
      }),
    );
  });
});

test('the median is the middle one, whatever the order', () => {
  expect([median([]), median([5]), median([9, 1, 5]), median([3, 1, 2, 100, 50])]).toEqual([undefined, 5, 5, 3]);
});

describe('a comparison', () => {
  let stored: StoredSamples;
  let clock: FakeClock;
  let log: LogRecord;
  beforeEach(() => {
    stored = new StoredSamples();
    clock = new FakeClock();
    log = new LogRecord();
  });
  afterEach(() => stored.remove());

  function skewWith(askDate: () => Promise<string | undefined>): ClockSkew {
    return new ClockSkew({ clock, logger: log, database: stored.database, clockSkewIntervalMs: 300_000, clockSkewWarnMs: 2_000, askDate });
  }

  /** Measures once, against a receiver that this clock is ahead of by these milliseconds, one a try. */
  async function measure(skew: ClockSkew): Promise<void> {
    let ended = false;
    const measured = skew.measure(never).finally(() => (ended = true));
    while (!ended) await clock.advance(clock.nextWakeMs ?? 0);
    await measured;
  }

  /** A receiver that this clock is ahead of by what `aheadMs` says now. */
  function receiverBehind(aheadMs: () => number): () => Promise<string> {
    return async () => new Date(clock.now() - aheadMs()).toUTCString();
  }

  test('asks three times, at different places of a second, and takes the median', async () => {
    const ahead = [60_000, 5_000_000, 60_000];
    const skew = skewWith(receiverBehind(() => ahead.shift()!));
    await measure(skew);
    expect(clock.sleeps).toEqual([333, 333]);
    expect(Math.abs(skew.skewMs! - 60_000)).toBeLessThanOrEqual(500);
    expect(stored.number('SELECT skew_ms FROM uploader_state')).toBe(skew.skewMs);
  });

  test('warns once when the skew goes beyond the limit, and tells once when it is back', async () => {
    let aheadMs = 0;
    const skew = skewWith(receiverBehind(() => aheadMs));
    for (aheadMs of [0, -1_000, 60_000, 90_000, 60_000, 0, 0]) await measure(skew);
    expect(log.messages()).toEqual(['this clock differs from the receiver’s', 'this clock agrees with the receiver’s again']);
    expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { limit_ms: 2_000 } });
  });

  test('warns of a clock that is behind as of one that is ahead', async () => {
    const skew = skewWith(receiverBehind(() => -3_600_000));
    await measure(skew);
    expect([Math.sign(skew.skewMs!), log.messages()]).toEqual([-1, ['this clock differs from the receiver’s']]);
  });

  test('that fails, or brings no Date, leaves the last one standing, and says so at debug alone', async () => {
    let fails = false;
    const dates = receiverBehind(() => 60_000);
    const skew = skewWith(async () => (fails ? Promise.reject(new Error('ECONNREFUSED')) : dates()));
    await measure(skew);
    const before = skew.skewMs;
    fails = true;
    await measure(skew);
    expect([skew.skewMs, log.messages().length, log.messages('debug')]).toEqual([before, 1, ['the clock could not be compared']]);
    await measure(skewWith(async () => undefined));
    expect(stored.number('SELECT skew_ms FROM uploader_state')).toBe(before);
  });

  test('that cannot be stored is still known, and ends nothing', async () => {
    stored.database.exec(`CREATE TRIGGER full BEFORE UPDATE ON uploader_state BEGIN SELECT RAISE(ABORT, 'disk is full'); END`);
    const skew = skewWith(receiverBehind(() => 60_000));
    await measure(skew);
    expect(skew.skewMs).toBeDefined();
    expect(log.messages('warn')).toContain('the clock’s skew could not be stored');
  });

  test('is made at start and then at its interval, until a stop', async () => {
    let asked = 0;
    const stop = new AbortController();
    const askDate = async (): Promise<undefined> => {
      asked += 1;
      return undefined;
    };
    const running = skewWith(askDate).run(stop.signal);
    await clock.advance(0);
    await clock.advance(1_000);
    expect(asked).toBe(3);
    await clock.advance(301_000);
    expect(asked).toBe(6);
    stop.abort();
    await running;
    expect(clock.sleeping).toBe(0);
  });

  describe('with a receiver', () => {
    let receiver: Receiver;
    let remote: VictoriaMetrics;
    beforeEach(async () => {
      receiver = await startReceiver({ now: () => clock.now() });
      const remoteUrl = `${receiver.url}/api/v1/import`;
      remote = new VictoriaMetrics({ clock, remoteUrl, remoteTimeoutMs: 20_000, ...straight, onConnectionClosed: () => undefined });
    });
    afterEach(async () => {
      remote.close();
      await receiver.stop();
    });

    test('finds by how much its Date is off', async () => {
      receiver.setFaults({ dateSkewMs: -7_200_000 });
      const skew = skewWith(() => remote.dateOf(`${receiver.url}/health`, never));
      await measure(skew);
      expect(Math.abs(skew.skewMs! - 7_200_000)).toBeLessThanOrEqual(500);
    });
  });
});
