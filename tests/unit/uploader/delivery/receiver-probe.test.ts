import { beforeEach, describe, expect, test } from '@jest/globals';

import { ReceiverProbe } from '../../../../uploader/src/delivery/receiver-probe.ts';
import { ReceiverState } from '../../../../uploader/src/delivery/receiver-state.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;
const haveCredentialsChanged = (): boolean => false;

/** Returns after how many seconds a probe ends an hour's wait with a backoff of a minute, and how many probes were sent. */
async function waitWith(isReceiver: boolean): Promise<[seconds: number, probes: number]> {
  const clock = new FakeClock();
  const receiver = new ReceiverState(clock, new LogRecord());
  receiver.failed('away', 'HTTP 502');
  let probes = 0;
  const checkReceiver = async () => {
    probes += 1;
    return { connection: 1, isClosing: false, isReceiver };
  };
  const options = { clock, receiver, random: () => 0.5, isLinkUp: () => true, probeIntervalMs: 5_000 };
  const probe = new ReceiverProbe({
    ...options,
    receiverCheck: { checkReceiver, checksConnection: false, haveCredentialsChanged },
  });
  const startedAt = clock.monotonic();
  let isOver = false;
  const pause = { askedUntil: -Infinity, backoffUntil: startedAt + 60_000, hasResponse: true };
  const waiting = probe.wait(startedAt + HOUR_MS, never, pause).finally(() => (isOver = true));
  while (!isOver) await clock.advance(clock.nextWakeMs ?? 0);
  await waiting;
  return [(clock.monotonic() - startedAt) / 1000, probes];
}

test('receiver probe: a response of the receiver itself ends the backoff', async () => {
  expect(await waitWith(true)).toEqual([5, 1]);
});

test('receiver probe: a response that a proxy may have written ends no backoff, only the wait behind it', async () => {
  expect(await waitWith(false)).toEqual([60, 12]);
});

test('receiver probe: good responses of a receiver that accepts nothing end one backoff, until it has accepted something', async () => {
  const clock = new FakeClock();
  const receiver = new ReceiverState(clock, new LogRecord());
  const checkReceiver = async () => ({ connection: 1, isClosing: false, isReceiver: true });
  const options = { clock, receiver, random: () => 0.5, isLinkUp: () => true, probeIntervalMs: 5_000 };
  const probe = new ReceiverProbe({
    ...options,
    receiverCheck: { checkReceiver, checksConnection: false, haveCredentialsChanged },
  });
  /** After how many seconds the wait after a failed upload ends. */
  const waitAfterFailure = async (hasResponse = true): Promise<number> => {
    receiver.failed('away', 'HTTP 503');
    const startedAt = clock.monotonic();
    let isOver = false;
    const pause = { askedUntil: -Infinity, backoffUntil: startedAt + 60_000, hasResponse };
    const waiting = probe.wait(startedAt + HOUR_MS, never, pause).finally(() => (isOver = true));
    while (!isOver) await clock.advance(clock.nextWakeMs ?? 0);
    await waiting;
    return (clock.monotonic() - startedAt) / 1000;
  };
  expect([await waitAfterFailure(), await waitAfterFailure(), await waitAfterFailure()]).toEqual([5, 60, 60]);
  // A link that loses responses shows nothing.
  expect([await waitAfterFailure(false), await waitAfterFailure(false)]).toEqual([5, 5]);
  receiver.answered();
  await probe.wait(clock.monotonic(), never);
  expect(await waitAfterFailure()).toBe(5);
});

test.each([
  ['ends two seconds later at most when somebody changes the credentials', 30, 32],
  ['is not ended by anything else', Infinity, 60],
])('receiver probe: the wait of a receiver that refuses uploads %s', async (_, changedAfterS, endsAfterS) => {
  const clock = new FakeClock();
  const receiver = new ReceiverState(clock, new LogRecord());
  receiver.failed('held', 'HTTP 401');
  const startedAt = clock.monotonic();
  const secondsPassed = (): number => (clock.monotonic() - startedAt) / 1000;
  const checkReceiver = (): never => {
    throw new Error('a receiver that refuses uploads is not probed');
  };
  const receiverCheck = {
    checkReceiver,
    checksConnection: false,
    haveCredentialsChanged: () => secondsPassed() > changedAfterS,
  };
  const probe = new ReceiverProbe({
    clock,
    receiver,
    receiverCheck,
    random: () => 0.5,
    isLinkUp: () => true,
    probeIntervalMs: 5_000,
  });
  const nextAttemptAtMs = clock.now() + 60_000;
  let isOver = false;
  const waiting = probe.wait(startedAt + 60_000, never).finally(() => (isOver = true));
  while (!isOver) await clock.advance(clock.nextWakeMs ?? 0);
  await waiting;
  expect(secondsPassed()).toBe(endsAfterS);
  expect(receiver.nextAttemptAtMs).toBe(nextAttemptAtMs);
});

describe('receiver probe by connections:', () => {
  /** Returns after how many seconds a wait with a backoff of a minute ends, and how often it was looked. */
  async function waitWithConnections(isThere: readonly boolean[], hasResponse: boolean): Promise<number[]> {
    const clock = new FakeClock();
    const receiver = new ReceiverState(clock, new LogRecord());
    let looks = 0;
    const checkReceiver = async () =>
      isThere[looks++] === true ? { connection: undefined, isClosing: false, isReceiver: true } : undefined;
    const options = { clock, receiver, random: () => 0.5, isLinkUp: () => true, probeIntervalMs: 5_000 };
    const probe = new ReceiverProbe({
      ...options,
      receiverCheck: { checkReceiver, checksConnection: true, haveCredentialsChanged },
    });
    const seconds: number[] = [];
    while (looks < isThere.length && seconds.length < 5) {
      receiver.failed('away', 'HTTP 503');
      const startedAt = clock.monotonic();
      let isOver = false;
      const pause = { askedUntil: -Infinity, backoffUntil: startedAt + 60_000, hasResponse };
      const waiting = probe.wait(startedAt + 60_000, never, pause).finally(() => (isOver = true));
      while (!isOver) await clock.advance(clock.nextWakeMs ?? 0);
      await waiting;
      seconds.push((clock.monotonic() - startedAt) / 1000);
    }
    return seconds;
  }

  test('ends the backoff of a receiver that gave no response when it can be connected to', async () => {
    expect(await waitWithConnections([false, false, true], false)).toEqual([15]);
  });

  test('ends no second one if it can be connected to all the time and accepts nothing, until a connection fails', async () => {
    expect(await waitWithConnections([true, ...Array<boolean>(11).fill(true), false, true], false)).toEqual([
      5, 60, 10,
    ]);
  });

  test('does not look at a receiver that responds: the next attempt is that of the backoff', async () => {
    expect(await waitWithConnections([true], true)).toEqual([60, 60, 60, 60, 60]);
  });
});

describe('receiver probe of a receiver that is away:', () => {
  let clock: FakeClock;
  let receiver: ReceiverState;
  let probedAt: number[];
  beforeEach(() => {
    clock = new FakeClock();
    receiver = new ReceiverState(clock, new LogRecord());
    probedAt = [];
  });

  /** Waits for so long, and records the times of the probes, none of which gets a response. Each is announced. */
  async function waitFor(waitMs: number, { isLinkUp = true } = {}): Promise<void> {
    const startedAt = clock.monotonic();
    const checkReceiver = async (): Promise<undefined> => void probedAt.push(clock.monotonic() - startedAt);
    const receiverCheck = { checkReceiver, checksConnection: false, haveCredentialsChanged };
    const options = { clock, receiver, receiverCheck, random: () => 0.5, probeIntervalMs: 5_000 };
    const probe = new ReceiverProbe({ ...options, isLinkUp: () => isLinkUp });
    let isOver = false;
    const waiting = probe.wait(startedAt + waitMs, never).finally(() => (isOver = true));
    while (!isOver) {
      const nextInMs = clock.nextWakeMs;
      if (nextInMs !== undefined) expect(receiver.nextAttemptAtMs).toBe(clock.now() + nextInMs);
      await clock.advance(nextInMs ?? 0);
    }
    await waiting;
  }

  test('comes each 30 s once it has been away for ten minutes', async () => {
    receiver.failed('away', 'ECONNREFUSED');
    await waitFor(12 * 60_000);
    const gaps = probedAt.map((at, index) => at - (probedAt[index - 1] ?? 0));
    expect([new Set(gaps.slice(0, 120)), new Set(gaps.slice(121))]).toEqual([new Set([5_000]), new Set([30_000])]);
  });

  test('is not sent without a route to it', async () => {
    receiver.failed('away', 'EHOSTUNREACH');
    await waitFor(60_000, { isLinkUp: false });
    expect(probedAt).toEqual([]);
  });
});
