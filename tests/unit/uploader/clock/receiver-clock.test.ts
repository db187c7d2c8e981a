import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { startReceiver, type Receiver } from '../../../receiver/src/server.ts';
import {
  toBootTime,
  ReceiverClock,
  median,
  type DatedResponse,
} from '../../../../uploader/src/clock/receiver-clock.ts';
import { ReceiverClockTable } from '../../../../uploader/src/clock/receiver-clock-table.ts';
import { VictoriaMetrics } from '../../../../uploader/src/transport/victoriametrics.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';
import { straight } from '../../../support/uploader/direct-connection.ts';

const never = new AbortController().signal;
const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT';
const DATE_MS = 1_700_000_000_000;

describe('an answer’s Date', () => {
  test('tells when this machine booted by the clock that wrote it; half a second is added for what a Date does not say (A-33)', () => {
    expect(toBootTime({ date: DATE, sentAtMs: 10_000, receivedAtMs: 10_000 })).toEqual({
      ms: DATE_MS + 500 - 10_000,
      errorMs: 500,
    });
  });

  test('was written in the middle between request and answer, give or take half of what lies between', () => {
    expect(toBootTime({ date: DATE, sentAtMs: 10_000, receivedAtMs: 11_000 })).toEqual({
      ms: DATE_MS + 500 - 10_500,
      errorMs: 1_000,
    });
  });

  test.each([undefined, '', 'today'])('tells nothing where it is %p', (date) => {
    expect(toBootTime({ date, sentAtMs: 0, receivedAtMs: 0 })).toBeUndefined();
  });

  test('is wrong by at most the error that is told, wherever in the second and in the round trip it was written', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 86_400_000 }),
        fc.integer({ min: 0, max: 5_000 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (sentAtMs, tripMs, where) => {
          const date = new Date(DATE_MS + Math.floor(sentAtMs + where * tripMs)).toUTCString();
          const found = toBootTime({ date, sentAtMs, receivedAtMs: sentAtMs + tripMs })!;
          expect(Math.abs(found.ms - DATE_MS)).toBeLessThanOrEqual(found.errorMs + 1);
        },
      ),
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

  function skewWith(
    askDate: () => Promise<string | undefined>,
    clockSkewPolicy: 'hold' | 'correct' = 'hold',
  ): ReceiverClock {
    const table = new ReceiverClockTable(stored.database, 'boot-1');
    return new ReceiverClock({
      clock,
      logger: log,
      table,
      clockSkewIntervalMs: 300_000,
      clockSkewWarnMs: 2_000,
      clockSkewPolicy,
      askDate,
    });
  }

  /** By how much the database says that this clock is ahead. */
  function storedSkew(): number {
    return (
      clock.now() -
      clock.sinceBoot() -
      stored.number(`SELECT booted_at_ms FROM receiver_clock WHERE boot_id = 'boot-1'`)
    );
  }

  /** Measures once, against a receiver that this clock is ahead of by these milliseconds, one a try. */
  async function measure(skew: ReceiverClock): Promise<void> {
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
    expect(skew.errorMs).toBeCloseTo(500 / 3);
    expect(storedSkew()).toBe(skew.skewMs);
  });

  test('warns once when the skew goes beyond the limit, and tells once when it is back (A-34)', async () => {
    let aheadMs = 0;
    const skew = skewWith(receiverBehind(() => aheadMs));
    for (aheadMs of [0, -1_000, 60_000, 90_000, 60_000, 0, 0]) await measure(skew);
    expect(log.messages()).toEqual([
      'this clock differs from the receiver’s',
      'this clock agrees with the receiver’s again',
    ]);
    expect(log.lines[0]).toMatchObject({ level: 'warn', fields: { limit_ms: 2_000 } });
  });

  test('does not warn of a skew that is just the limit, and does of a millisecond more', () => {
    const skew = skewWith(receiverBehind(() => 0));
    clock.step(500);
    const answer = {
      date: new Date(clock.now() - 2_500).toUTCString(),
      sentAtMs: clock.sinceBoot(),
      receivedAtMs: clock.sinceBoot(),
    };
    skew.learnFrom(answer);
    expect([skew.skewMs, log.messages()]).toEqual([2_000, []]);
    clock.step(1);
    skew.learnFrom(answer);
    expect([skew.skewMs, log.messages()]).toEqual([2_001, ['this clock differs from the receiver’s']]);
  });

  test('warns of a clock that is behind as of one that is ahead (A-53)', async () => {
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
    expect([skew.skewMs, log.messages().length, log.messages('debug')]).toEqual([
      before,
      1,
      ['the clock could not be compared'],
    ]);
    await measure(skewWith(async () => undefined));
    expect(storedSkew()).toBe(before);
  });

  test('that cannot be stored is still known, and ends nothing', async () => {
    stored.database.exec(
      `CREATE TRIGGER full BEFORE INSERT ON receiver_clock BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
    );
    const skew = skewWith(receiverBehind(() => 60_000));
    await measure(skew);
    expect(skew.skewMs).toBeDefined();
    expect(log.messages('warn')).toContain('the receiver’s clock could not be stored');
  });

  test('is not touched by a step of this clock: the skew is right from that moment on', async () => {
    const skew = skewWith(receiverBehind(() => 0));
    await measure(skew);
    clock.step(-3_600_000);
    expect(Math.abs(skew.skewMs! + 3_600_000)).toBeLessThanOrEqual(500);
    expect(skew.now()).toBe(clock.now());
  });

  test('gives the time of the receiver’s clock, where samples are stamped by it', async () => {
    const skew = skewWith(
      receiverBehind(() => 60_000),
      'correct',
    );
    expect(skew.now()).toBe(clock.now());
    await measure(skew);
    expect(Math.abs(skew.now() - (clock.now() - 60_000))).toBeLessThanOrEqual(500);
    expect(stored.number(`SELECT policy = 'correct' FROM receiver_clock`)).toBe(1);
  });

  test('has been tried once as soon as there is an answer, or none', async () => {
    for (const askDate of [receiverBehind(() => 60_000), async () => Promise.reject(new Error('ECONNREFUSED'))]) {
      const skew = skewWith(askDate);
      const measuring = skew.measure(AbortSignal.timeout(10_000));
      await skew.firstTry;
      expect(skew.skewMs === undefined).toBe(clock.sleeping === 0);
      while (clock.sleeping > 0) await clock.advance(1_000);
      await measuring;
    }
    const stopped = skewWith(async () => undefined);
    await stopped.measure(AbortSignal.abort());
    await stopped.firstTry;
  });

  describe('is not needed for what an upload’s answer tells:', () => {
    /** An answer that came at once, from a receiver that this clock is ahead of by so much. */
    const answer = (aheadMs: number): DatedResponse => ({
      date: new Date(clock.now() - aheadMs).toUTCString(),
      sentAtMs: clock.sinceBoot(),
      receivedAtMs: clock.sinceBoot(),
    });

    test('the first Date is learned, and warned of', () => {
      const skew = skewWith(async () => undefined);
      skew.learnFrom(answer(60_000));
      expect(Math.abs(skew.skewMs! - 60_000)).toBeLessThanOrEqual(500);
      expect([storedSkew(), log.messages()]).toEqual([skew.skewMs, ['this clock differs from the receiver’s']]);
    });

    test('one that agrees changes nothing: the median of three is better', async () => {
      const skew = skewWith(receiverBehind(() => 60_000));
      await measure(skew);
      const before = skew.skewMs;
      await clock.advance(700);
      skew.learnFrom(answer(60_000));
      expect(skew.skewMs).toBe(before);
    });

    test('one that contradicts is believed: a receiver’s clock may step', async () => {
      const skew = skewWith(receiverBehind(() => 60_000));
      await measure(skew);
      skew.learnFrom(answer(-7_200_000));
      expect(Math.abs(skew.skewMs! + 7_200_000)).toBeLessThanOrEqual(500);
    });

    test('a step of this clock is told at the next one', async () => {
      const skew = skewWith(receiverBehind(() => 0));
      await measure(skew);
      clock.step(10_000);
      skew.learnFrom(answer(10_000));
      expect(log.messages()).toEqual(['this clock differs from the receiver’s']);
    });

    test('one without a Date is nothing', () => {
      const skew = skewWith(async () => undefined);
      skew.learnFrom({ date: undefined, sentAtMs: 0, receivedAtMs: 0 });
      expect(skew.skewMs).toBeUndefined();
    });
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
      remote = new VictoriaMetrics({
        clock,
        remoteUrl,
        remoteTimeoutMs: 20_000,
        ...straight,
        onConnectionClosed: () => undefined,
      });
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
