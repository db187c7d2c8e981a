// Longer than a test should be: each source of a time is a case, with what it may replace.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ReceiverClockTable } from '../../../../uploader/src/clock/receiver-clock-table.ts';
import { ReceiverClock, toBootTime, type DatedResponse } from '../../../../uploader/src/clock/receiver-clock.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT';
const DATE_MS = 1_700_000_000_000;
/** The programs of these tests were built a day before their clock's beginning. */
const BUILT_MS = new FakeClock().now() - 86_400_000;

describe('boot time by a response’s Date:', () => {
  test('has half a second added, which a Date does not resolve (A-33)', () => {
    expect(toBootTime({ date: DATE, sentAtMs: 10_000, receivedAtMs: 10_000 }, true)).toEqual({
      bootedAtMs: DATE_MS + 500 - 10_000,
      errorMs: 500,
      isProven: true,
    });
  });

  test('takes the Date as of the middle of the round trip, with half the round trip as error', () => {
    expect(toBootTime({ date: DATE, sentAtMs: 10_000, receivedAtMs: 11_000 }, true)).toEqual({
      bootedAtMs: DATE_MS + 500 - 10_500,
      errorMs: 1_000,
      isProven: true,
    });
  });

  test('counts the time for which a cache kept the response, and a second more of error', () => {
    expect(toBootTime({ date: DATE, age: '900', sentAtMs: 10_000, receivedAtMs: 10_000 }, false)).toEqual({
      bootedAtMs: DATE_MS + 900_000 + 500 - 10_000,
      errorMs: 1_500,
      isProven: false,
    });
  });

  test.each([undefined, '0', '', '-5', 'nine', '1e9', '99999999999'])('takes the Age %p for none', (age) => {
    const dated = { date: DATE, sentAtMs: 0, receivedAtMs: 0 };
    expect(toBootTime({ ...dated, age }, true)).toEqual(toBootTime(dated, true));
  });

  test.each([undefined, '', 'today'])('is undefined for the Date %p', (date) => {
    expect(toBootTime({ date, sentAtMs: 0, receivedAtMs: 0 }, true)).toBeUndefined();
  });

  test('is undefined without a response', () => {
    expect(toBootTime({}, true)).toBeUndefined();
  });

  test('is within its error of the truth, at any fraction of the second and of the round trip', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 86_400_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (sentAtMs, tripMs, fraction) => {
          const date = new Date(DATE_MS + Math.floor(sentAtMs + fraction * tripMs)).toUTCString();
          const found = toBootTime({ date, sentAtMs, receivedAtMs: sentAtMs + tripMs }, true)!;
          expect(Math.abs(found.bootedAtMs - DATE_MS)).toBeLessThanOrEqual(found.errorMs + 1);
        },
      ),
    );
  });
});

test('boot time: a Date beyond the year 9999 is none', () => {
  const request = { sentAtMs: 1_000, receivedAtMs: 1_010 };
  for (const date of ['Sat, 13 Sep 275760 00:00:00 GMT', 'Fri, 01 Jan 10000 00:00:00 GMT', '+275760-09-13T00:00:00Z'])
    expect([date, toBootTime({ date, ...request }, true)]).toEqual([date, undefined]);
  expect(toBootTime({ date: 'Thu, 30 Dec 9999 00:00:00 GMT', ...request }, true)).toBeDefined();
});

describe('receiver clock:', () => {
  let stored: StoredSamples;
  let clock: FakeClock;
  let log: LogRecord;
  beforeEach(() => {
    stored = new StoredSamples();
    clock = new FakeClock();
    log = new LogRecord();
  });
  afterEach(() => stored.remove());

  function createClock(clockSkewPolicy: 'hold' | 'correct' = 'hold'): ReceiverClock {
    const table = new ReceiverClockTable(stored.database, 'boot-1');
    return new ReceiverClock({
      clock,
      logger: log,
      table,
      clockSkewWarnMs: 2_000,
      clockSkewPolicy,
      builtAtMs: BUILT_MS,
    });
  }

  test.each([['abc'], [1e300], [Buffer.from('1')], [-Infinity]])(
    'a stored boot time of %p is none, and goes with the next measurement',
    (bootedAt) => {
      stored.database
        .prepare("INSERT INTO receiver_clock VALUES ('boot-1', ?, 'hold', 0), ('boot-0', ?, 'hold', 0)")
        .run(bootedAt, bootedAt);
      stored.database.exec("UPDATE epochs SET boot_id = 'boot-0'");
      const table = new ReceiverClockTable(stored.database, 'boot-1');
      expect(table.receiverNow(5)).toBeUndefined();
      table.save({ bootedAtMs: 100, policy: 'hold', measuredAtMs: 0 });
      expect(table.receiverNow(5)).toBe(105);
      expect(stored.number('SELECT COUNT(*) FROM receiver_clock')).toBe(1);
    },
  );

  /** Sets the receiver's clock so many milliseconds behind this one. */
  function setBehind(receiverClock: ReceiverClock, aheadMs: number, isProven = true): void {
    receiverClock.set({ bootedAtMs: clock.now() - clock.sinceBoot() - aheadMs, errorMs: 167, isProven });
  }

  /** A response without a round trip, from a receiver that is so many milliseconds behind this clock. */
  function respondBehind(aheadMs: number): DatedResponse {
    const sinceBoot = clock.sinceBoot();
    return { date: new Date(clock.now() - aheadMs).toUTCString(), sentAtMs: sinceBoot, receivedAtMs: sinceBoot };
  }

  /** By how many milliseconds this clock is ahead, by what the database has. */
  function storedSkew(): number {
    const bootedAt = stored.number(`SELECT booted_at_ms FROM receiver_clock WHERE boot_id = 'boot-1'`);
    return clock.now() - clock.sinceBoot() - bootedAt;
  }

  test('its earliest time is earlier than the known one by the error, or by any time that contradicts it', () => {
    const receiverClock = createClock();
    expect(receiverClock.earliestReceiverNow()).toBeUndefined();
    setBehind(receiverClock, 5_000);
    expect(receiverClock.earliestReceiverNow()).toBe(clock.now() - 5_000 - 167);
    receiverClock.learnFrom(respondBehind(60_000));
    expect(receiverClock.earliestReceiverNow()).toBeLessThan(clock.now() - 59_000);
    setBehind(receiverClock, -60_000, true);
    expect(receiverClock.earliestReceiverNow()).toBe(clock.now() + 60_000 - 167);
  });

  test('its earliest time is this clock’s while somebody else may have written a later one', () => {
    const receiverClock = createClock();
    setBehind(receiverClock, -86_400_000, false);
    expect(receiverClock.earliestReceiverNow()).toBe(clock.now());
  });

  test.each([
    ['of this clock while the receiver’s is unknown', undefined, 0],
    ['of this clock if it is a little off', 5_000.4, 0],
    ['of this clock if it is off by less than a day', -86_000_000, 0],
    ['of the receiver’s clock if this one is more than a day off', 2 * 86_400_000, -2 * 86_400_000],
  ])('a sample that the collector does not store gets the time %s', (_, aheadMs, expected) => {
    const receiverClock = createClock();
    if (aheadMs !== undefined) setBehind(receiverClock, aheadMs);
    expect(receiverClock.stampNow()! - clock.now()).toBe(expected);
  });

  test('a sample that the collector does not store has no time while no clock can be right', () => {
    clock.step(BUILT_MS - 1 - clock.now());
    expect(createClock().stampNow()).toBeUndefined();
  });

  test('is unknown before the first measurement', () => {
    const receiverClock = createClock();
    expect([receiverClock.isKnown, receiverClock.skewMs, receiverClock.receiverNow()]).toEqual([
      false,
      undefined,
      undefined,
    ]);
  });

  test('stores a measurement for the collector', () => {
    const receiverClock = createClock();
    setBehind(receiverClock, 60_000);
    expect([receiverClock.skewMs, receiverClock.errorMs, storedSkew()]).toEqual([60_000, 167, 60_000]);
  });

  test('warns once when the skew exceeds the limit, and once when it is within it again (A-34)', () => {
    const receiverClock = createClock();
    for (const aheadMs of [0, -1_000, 60_000, 90_000, 60_000, 0, 0]) setBehind(receiverClock, aheadMs);
    expect(log.messages()).toEqual(['clock skew exceeds limit', 'clock skew within limit again']);
    expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { limit_ms: 2_000 } });
  });

  test('does not warn of a skew at the limit, and does of one a millisecond above it', () => {
    const receiverClock = createClock();
    clock.step(500);
    const response = respondBehind(2_500);
    receiverClock.learnFrom(response);
    expect([receiverClock.skewMs, log.messages()]).toEqual([2_000, []]);
    clock.step(1);
    receiverClock.learnFrom(response);
    expect([receiverClock.skewMs, log.messages()]).toEqual([2_001, ['clock skew exceeds limit']]);
  });

  test('warns of a clock that is behind as of one that is ahead (A-53)', () => {
    const receiverClock = createClock();
    setBehind(receiverClock, -3_600_000);
    expect([receiverClock.skewMs, log.messages()]).toEqual([-3_600_000, ['clock skew exceeds limit']]);
  });

  test('is known although it cannot be stored', () => {
    stored.database.exec(
      `CREATE TRIGGER full BEFORE INSERT ON receiver_clock BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    const receiverClock = createClock();
    setBehind(receiverClock, 60_000);
    expect(receiverClock.skewMs).toBe(60_000);
    expect(log.messages('warn')).toContain('cannot store receiver clock');
  });

  test('is stored by a later response if it could not be stored at first, at most once in ten seconds', async () => {
    stored.database.exec(
      `CREATE TRIGGER full BEFORE INSERT ON receiver_clock BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    const receiverClock = createClock();
    receiverClock.learnFrom(respondBehind(500));
    stored.database.exec('DROP TRIGGER full');
    const stores = (): number => stored.number('SELECT COUNT(*) FROM receiver_clock');
    receiverClock.learnFrom(respondBehind(500));
    expect(stores()).toBe(0);
    await clock.advance(10_000);
    receiverClock.learnFrom(respondBehind(500));
    expect(stores()).toBe(1);
    expect(log.messages('warn').filter((line) => line === 'cannot store receiver clock')).toHaveLength(1);
  });

  test('has the right skew from the moment of a step of this clock on', () => {
    const receiverClock = createClock();
    setBehind(receiverClock, 0);
    clock.step(-3_600_000);
    expect([receiverClock.skewMs, receiverClock.now()]).toEqual([-3_600_000, clock.now()]);
  });

  test('is the time that samples are stamped by under the policy correct', () => {
    const receiverClock = createClock('correct');
    expect(receiverClock.now()).toBe(clock.now());
    setBehind(receiverClock, 60_000);
    expect(receiverClock.now()).toBe(clock.now() - 60_000);
    expect(stored.number(`SELECT policy = 'correct' FROM receiver_clock`)).toBe(1);
  });

  test('ignores a time from before the build, unless the receiver itself wrote it', () => {
    const receiverClock = createClock();
    setBehind(receiverClock, 86_400_001, false);
    expect(receiverClock.isKnown).toBe(false);
    setBehind(receiverClock, 86_400_001);
    expect(receiverClock.skewMs).toBe(86_400_001);
  });

  describe('the latest time that it may be by it:', () => {
    test('is undefined while nothing is known, and the receiver’s own once that is proven', () => {
      const receiverClock = createClock();
      expect(receiverClock.latestReceiverNow()).toBeUndefined();
      setBehind(receiverClock, 3_600_000);
      expect(receiverClock.latestReceiverNow()).toBe(receiverClock.receiverNow());
    });

    test('is this machine’s while a portal may have written an earlier one', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 3_600_000, false);
      expect(receiverClock.latestReceiverNow()).toBe(clock.now());
    });

    test('is that of the last upload while it contradicts what is known', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 3_600_000);
      receiverClock.learnFrom(respondBehind(-3_600_000));
      expect(Math.abs(receiverClock.latestReceiverNow()! - clock.now() - 3_600_000)).toBeLessThanOrEqual(500);
    });
  });

  describe('from the response to an upload:', () => {
    test('the first Date is learned, and warned of', () => {
      const receiverClock = createClock();
      receiverClock.learnFrom(respondBehind(60_000));
      expect(Math.abs(receiverClock.skewMs! - 60_000)).toBeLessThanOrEqual(500);
      expect([storedSkew(), log.messages()]).toEqual([receiverClock.skewMs, ['clock skew exceeds limit']]);
    });

    test('a Date that agrees changes nothing: the median of three is better', async () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 60_000);
      await clock.advance(700);
      receiverClock.learnFrom(respondBehind(60_000));
      expect(receiverClock.skewMs).toBe(60_000);
    });

    test('a Date that contradicts is learned with the third that agrees: a receiver’s clock may step', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 60_000);
      for (const skewMs of [60_000, 60_000]) {
        receiverClock.learnFrom(respondBehind(-7_200_000));
        expect(receiverClock.skewMs).toBe(skewMs);
      }
      receiverClock.learnFrom(respondBehind(-7_200_000));
      expect(Math.abs(receiverClock.skewMs! + 7_200_000)).toBeLessThanOrEqual(500);
    });

    test('Dates that contradict each other, or are interrupted by one that agrees, change nothing', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 60_000);
      for (const aheadMs of [1e6, 2e6, 3e6, 1e6, 1e6, 60_000, 1e6, 1e6])
        receiverClock.learnFrom(respondBehind(aheadMs));
      expect(receiverClock.skewMs).toBe(60_000);
    });

    test('the first Date replaces a time that anybody may have written', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 60_000, false);
      receiverClock.learnFrom(respondBehind(5_000));
      expect(Math.round(receiverClock.skewMs! / 1000)).toBe(5);
    });

    test('a Date that agrees proves a time that anybody may have written', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 5_000, false);
      receiverClock.learnFrom(respondBehind(5_000));
      setBehind(receiverClock, 60_000, false);
      expect(Math.round(receiverClock.skewMs! / 1000)).toBe(5);
    });

    test('a step of this clock is logged at the next Date', () => {
      const receiverClock = createClock();
      setBehind(receiverClock, 0);
      clock.step(10_000);
      receiverClock.learnFrom(respondBehind(10_000));
      expect(log.messages()).toEqual(['clock skew exceeds limit']);
    });

    test('nothing is learned without a Date', () => {
      const receiverClock = createClock();
      receiverClock.learnFrom({ date: undefined, sentAtMs: 0, receivedAtMs: 0 });
      expect(receiverClock.isKnown).toBe(false);
    });
  });
});
