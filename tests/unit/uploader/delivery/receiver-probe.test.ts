import { expect, test } from '@jest/globals';

import { ReceiverProbe } from '../../../../uploader/src/delivery/receiver-probe.ts';
import { ReceiverState } from '../../../../uploader/src/delivery/receiver-state.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;

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
  const probe = new ReceiverProbe({ ...options, receiverCheck: { checkReceiver } });
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
  const probe = new ReceiverProbe({ ...options, receiverCheck: { checkReceiver } });
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
