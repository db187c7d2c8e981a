import { beforeEach, describe, expect, test } from '@jest/globals';

import { ReceiverState } from '../../../../uploader/src/delivery/receiver-state.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let clock: FakeClock;
let log: LogRecord;
let state: ReceiverState;

beforeEach(() => {
  clock = new FakeClock();
  log = new LogRecord();
  state = new ReceiverState(clock, log);
});

describe('receiver state:', () => {
  test('is unknown before the first response', () => {
    expect([state.condition, state.reason, state.lastDelivery]).toEqual(['unknown', '', undefined]);
  });

  test('reports a change once, however often uploads fail, with the last reason', () => {
    expect([state.failed('away', 'HTTP 503'), state.failed('away', 'ECONNRESET')]).toEqual([true, false]);
    expect(state.reason).toBe('ECONNRESET');
  });

  test('reports a change again if the failure is of another kind', () => {
    expect([
      state.failed('away', 'a'),
      state.failed('held', 'b'),
      state.failed('fault', 'c'),
      state.failed('away', 'd'),
    ]).toEqual([true, true, true, true]);
  });

  test('counts from its first failure, not from the last one', async () => {
    await clock.advance(1_000);
    state.failed('away', 'a');
    const since = clock.now();
    await clock.advance(60_000);
    state.failed('away', 'b');
    expect(state.sinceMs).toBe(since);
  });

  test('logs once when the receiver first accepts samples, and once when it recovers, with the duration', async () => {
    state.answered();
    state.answered();
    state.failed('away', 'a');
    await clock.advance(90_000);
    state.answered();
    state.answered();
    expect(log.lines).toEqual([
      { level: 'info', message: 'receiver accepts samples', fields: {} },
      { level: 'warn', message: 'receiver recovered', fields: { after_ms: 90_000 } },
    ]);
    expect([state.condition, state.reason]).toEqual(['taking', '']);
  });

  test('keeps the last delivery', () => {
    state.delivered({ atMs: 1, count: 2, bytesSent: 3 });
    expect(state.lastDelivery).toEqual({ atMs: 1, count: 2, bytesSent: 3 });
  });

  test('has the samples of the last delivery, and the time of the last response, while one goes on', async () => {
    state.delivered({ atMs: clock.now(), count: 2, bytesSent: 3 });
    await clock.advance(30_000);
    state.answered();
    expect(state.lastDelivery).toEqual({ atMs: clock.now(), count: 2, bytesSent: 3 });
  });

  test('takes the last delivery of the last process only if there is none of its own', () => {
    state.delivered({ atMs: 2, count: 2, bytesSent: 3 });
    state.remember({ uploads: [], lastDelivery: { atMs: 1, count: 1, bytesSent: 1 } });
    expect(state.lastDelivery).toEqual({ atMs: 2, count: 2, bytesSent: 3 });
  });

  describe('keeps uploads, newest first:', () => {
    const delivery = { count: 5, bytesSent: 90 };

    test('deliveries with their samples, bytes and outcome', async () => {
      state.delivered({ atMs: clock.now(), ...delivery });
      await clock.advance(30_000);
      state.delivered({ atMs: clock.now(), ...delivery, isPartial: true });
      expect(state.uploads).toEqual([
        { atMs: clock.now(), samples: 5, bytes: 90, outcome: 'partial', reason: '', times: 1 },
        { atMs: clock.now() - 30_000, samples: 5, bytes: 90, outcome: 'delivered', reason: '', times: 1 },
      ]);
    });

    test('the batches of a drain, which follow each other closely, are one', async () => {
      for (let batch = 0; batch < 100; batch++) {
        state.delivered({ atMs: clock.now(), ...delivery });
        await clock.advance(50);
      }
      expect(state.uploads).toMatchObject([{ samples: 500, bytes: 9_000, times: 100 }]);
    });

    test('failures for the same reason are one, with their number', async () => {
      for (const reason of ['HTTP 503', 'HTTP 503', 'ECONNREFUSED', 'HTTP 503']) {
        state.failed('away', reason);
        await clock.advance(30_000);
      }
      expect(state.uploads.map(({ reason, times }) => [reason, times])).toEqual([
        ['HTTP 503', 1],
        ['ECONNREFUSED', 1],
        ['HTTP 503', 2],
      ]);
    });

    test('ten at most', async () => {
      for (let upload = 1; upload <= 15; upload++) {
        state.delivered({ atMs: clock.now(), count: upload, bytesSent: 1 });
        await clock.advance(30_000);
      }
      expect(state.uploads.map(({ samples }) => samples)).toEqual([15, 14, 13, 12, 11, 10, 9, 8, 7, 6]);
    });

    test('also those of the last process', () => {
      state.delivered({ atMs: 1, ...delivery });
      const next = new ReceiverState(clock, log);
      next.remember(state);
      expect([next.uploads, next.lastDelivery]).toEqual([state.uploads, state.lastDelivery]);
    });
  });
});
