import { beforeEach, describe, expect, test } from '@jest/globals';

import { ReceiverState } from '../../../uploader/src/receiver-state.js';
import { FakeClock } from '../../support/fake-clock.js';
import { LogRecord } from './log-record.js';

let clock: FakeClock;
let log: LogRecord;
let state: ReceiverState;

beforeEach(() => {
  clock = new FakeClock();
  log = new LogRecord();
  state = new ReceiverState(clock, log);
});

describe('the receiver’s state', () => {
  test('is unknown until something is heard of it', () => {
    expect([state.condition, state.reason, state.lastDelivery]).toEqual(['unknown', '', undefined]);
  });

  test('is news once, however often it fails; the reason is the last one', () => {
    expect([state.failed('away', 'HTTP 503'), state.failed('away', 'ECONNRESET')]).toEqual([true, false]);
    expect(state.reason).toBe('ECONNRESET');
  });

  test('is news again where the failure is of another kind', () => {
    expect([state.failed('away', 'a'), state.failed('held', 'b'), state.failed('fault', 'c'), state.failed('away', 'd')]).toEqual([true, true, true, true]);
  });

  test('lasts since it began, not since the last failure', async () => {
    await clock.advance(1_000);
    state.failed('away', 'a');
    const since = clock.now();
    await clock.advance(60_000);
    state.failed('away', 'b');
    expect(state.sinceMs).toBe(since);
  });

  test('is told of once when it first takes samples, and once when it does so again, with how long that was', async () => {
    state.answered();
    state.answered();
    state.failed('away', 'a');
    await clock.advance(90_000);
    state.answered();
    state.answered();
    expect(log.lines).toEqual([
      { level: 'info', message: 'the receiver takes samples', fields: {} },
      { level: 'warn', message: 'the receiver takes samples again', fields: { after_ms: 90_000 } },
    ]);
    expect([state.condition, state.reason]).toEqual(['taking', '']);
  });

  test('holds the last delivery', () => {
    state.delivered({ atMs: 1, count: 2, bytesSent: 3 });
    expect(state.lastDelivery).toEqual({ atMs: 1, count: 2, bytesSent: 3 });
  });
});
