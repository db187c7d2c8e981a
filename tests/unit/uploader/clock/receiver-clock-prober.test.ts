import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { median, ReceiverClockProber } from '../../../../uploader/src/clock/receiver-clock-prober.ts';
import { ReceiverClockTable } from '../../../../uploader/src/clock/receiver-clock-table.ts';
import { ReceiverClock } from '../../../../uploader/src/clock/receiver-clock.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { startReceiver } from '../../../receiver/src/server.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const never = new AbortController().signal;

test('median: is the middle value in any order', () => {
  expect([median([]), median([5]), median([9, 1, 5]), median([3, 1, 2, 100, 50])]).toEqual([undefined, 5, 5, 3]);
});

describe('receiver clock prober:', () => {
  let stored: StoredSamples;
  let clock: FakeClock;
  let log: LogRecord;
  let receiverClock: ReceiverClock;
  beforeEach(() => {
    stored = new StoredSamples();
    clock = new FakeClock();
    log = new LogRecord();
    const table = new ReceiverClockTable(stored.database, 'boot-1');
    const limits = { clockSkewWarnMs: 2_000, clockSkewPolicy: 'hold', builtAtMs: 0 } as const;
    receiverClock = new ReceiverClock({ clock, logger: log, table, ...limits });
  });
  afterEach(() => stored.remove());

  function createProber(respond: () => Promise<string | undefined>, isReceivers = true): ReceiverClockProber {
    const requestDate = async () => ({ date: await respond(), isReceivers });
    return new ReceiverClockProber({ clock, logger: log, receiverClock, clockSkewIntervalMs: 300_000, requestDate });
  }

  /** Responds as a receiver that this clock is ahead of by what `aheadMs` returns. */
  function respondBehind(aheadMs: () => number): () => Promise<string> {
    return async () => new Date(clock.now() - aheadMs()).toUTCString();
  }

  async function measure(prober: ReceiverClockProber): Promise<void> {
    let ended = false;
    const measured = prober.measure(never).finally(() => (ended = true));
    while (!ended) await clock.advance(clock.nextWakeMs ?? 0);
    await measured;
  }

  test('takes the median of three requests at different fractions of a second', async () => {
    const ahead = [60_000, 5_000_000, 60_000];
    await measure(createProber(respondBehind(() => ahead.shift()!)));
    expect(clock.sleeps).toEqual([333, 333]);
    expect(Math.abs(receiverClock.skewMs! - 60_000)).toBeLessThanOrEqual(500);
    expect(receiverClock.errorMs).toBeCloseTo(500 / 3);
  });

  test('keeps the last measurement without a response or without a Date, and logs it at debug only', async () => {
    let respond: () => Promise<string | undefined> = respondBehind(() => 60_000);
    const prober = createProber(() => respond());
    await measure(prober);
    const before = receiverClock.skewMs;
    respond = async () => Promise.reject(new Error('ECONNREFUSED'));
    await measure(prober);
    expect([receiverClock.skewMs, log.messages().length, log.messages('debug')]).toEqual([
      before,
      1,
      ['receiver clock request failed'],
    ]);
    respond = async () => undefined;
    await measure(prober);
    expect(receiverClock.skewMs).toBe(before);
  });

  test('makes one request for the first measurement, whose result is known at once', async () => {
    const prober = createProber(respondBehind(() => 60_000));
    const first = await prober.measureFirst(never);
    expect(clock.sleeps).toEqual([]);
    expect([receiverClock.isKnown, first]).toEqual([true, expect.objectContaining({ errorMs: receiverClock.errorMs })]);
  });

  test('goes on to the next requests after a response without a Date', async () => {
    let requests = 0;
    const dated = respondBehind(() => 60_000);
    await measure(createProber(async () => ((requests += 1) === 1 ? undefined : dated())));
    expect([requests, Math.round(receiverClock.skewMs! / 1000)]).toEqual([3, 60]);
  });

  test('ends the first measurement without a response', async () => {
    const prober = createProber(async () => Promise.reject(new Error('ECONNREFUSED')));
    expect(await prober.measureFirst(never)).toBeUndefined();
    expect(receiverClock.isKnown).toBe(false);
  });

  test('does not replace what an upload’s response taught by a single request', async () => {
    receiverClock.set({ bootedAtMs: clock.now() - clock.sinceBoot(), errorMs: 100, isProven: true });
    await createProber(respondBehind(() => 60_000)).measureFirst(never);
    expect(receiverClock.errorMs).toBe(100);
  });

  test('completes the first measurement, then measures at its interval, until a stop', async () => {
    let requests = 0;
    const stop = new AbortController();
    const prober = createProber(async () => {
      requests += 1;
      return new Date(clock.now()).toUTCString();
    });
    const running = prober.run(await prober.measureFirst(never), stop.signal);
    await clock.advance(1_000);
    expect(requests).toBe(3);
    await clock.advance(301_000);
    expect(requests).toBe(6);
    stop.abort();
    await running;
    expect(clock.sleeping).toBe(0);
  });

  test('makes as many requests as it is told to, and none while no measurement is needed', async () => {
    let isNeeded = false;
    let requests = 0;
    const stop = new AbortController();
    const requestDate = async () => {
      requests += 1;
      return { date: new Date(clock.now()).toUTCString(), isReceivers: true };
    };
    const limits = { clockSkewIntervalMs: 300_000, requests: 1, isNeeded: () => isNeeded };
    const prober = new ReceiverClockProber({ clock, logger: log, receiverClock, requestDate, ...limits });
    const running = prober.run(await prober.measureFirst(never), stop.signal);
    await clock.advance(1_000);
    await clock.advance(301_000);
    expect(requests).toBe(1);
    isNeeded = true;
    await clock.advance(300_000);
    expect(requests).toBe(2);
    stop.abort();
    await running;
  });

  test('learns a time that anybody may have written only while it knows none of the receiver’s own', async () => {
    await measure(
      createProber(
        respondBehind(() => 60_000),
        false,
      ),
    );
    expect(Math.round(receiverClock.skewMs! / 1000)).toBe(60);
    await measure(createProber(respondBehind(() => 5_000)));
    await measure(
      createProber(
        respondBehind(() => 90_000),
        false,
      ),
    );
    expect(Math.round(receiverClock.skewMs! / 1000)).toBe(5);
  });

  test('measures again soon while anybody may have written the time that it knows', async () => {
    let requests = 0;
    const stop = new AbortController();
    const prober = createProber(async () => {
      requests += 1;
      return new Date(clock.now()).toUTCString();
    }, false);
    const running = prober.run(await prober.measureFirst(never), stop.signal);
    await clock.advance(32_000);
    expect(requests).toBe(6);
    receiverClock.set({ bootedAtMs: clock.now() - clock.sinceBoot(), errorMs: 100, isProven: true });
    await clock.advance(60_000);
    const soon = requests;
    await clock.advance(200_000);
    expect(requests).toBe(soon);
    stop.abort();
    await running;
  });

  test('requests the Date of a real receiver', async () => {
    const receiver = await startReceiver({ now: () => clock.now() });
    const protocol = new VictoriaMetricsProtocol();
    const remoteUrl = `${receiver.url}/api/v1/import`;
    const transport = new HttpTransport({ protocol, clock, remoteUrl, remoteTimeoutMs: 20_000, ...directConnection });
    try {
      receiver.setFaults({ dateSkewMs: -7_200_000 });
      const health = `${receiver.url}/health`;
      await measure(createProber(async () => (await transport.requestDate(health, never)).date));
      expect(Math.abs(receiverClock.skewMs! - 7_200_000)).toBeLessThanOrEqual(500);
    } finally {
      transport.close();
      await receiver.stop();
    }
  });
});
