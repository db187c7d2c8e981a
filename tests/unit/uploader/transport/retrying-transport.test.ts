import { beforeEach, describe, expect, test } from '@jest/globals';

import { RetryingTransport } from '../../../../uploader/src/transport/retrying-transport.ts';
import type { SendOutcome, SendResult } from '../../../../uploader/src/transport/transport.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

const chunk = madeChunk(3);
const policy = { initialMs: 5_000, multiplier: 3, maxMs: 60_000, jitter: 0.2 };
const away: SendOutcome = { kind: 'retry', reason: 'HTTP 503' };
let clock: FakeClock;
let log: LogRecord;
let stop: AbortController;
let seen: SendOutcome[];

beforeEach(() => {
  clock = new FakeClock();
  log = new LogRecord();
  stop = new AbortController();
  seen = [];
});

const measured = {
  endpoint: 'http://receiver/',
  bytesSent: 10,
  bytesReceived: 0,
  durationMs: 1,
  isClosing: false,
};

function settings() {
  return {
    clock,
    logger: log,
    policy,
    attempts: 3,
    random: () => 0.5,
    onRetry: () => undefined,
    isLongAway: () => false,
    stop: stop.signal,
  };
}

/** Posts over a transport that comes to these outcomes, one a try; the last one stays. */
function post(
  outcomes: readonly SendOutcome[],
  { isLongAway = false, ...more }: { attempts?: number; random?: () => number; isLongAway?: boolean } = {},
): Promise<SendResult> {
  const transport = {
    format: 'json-lines' as const,
    async send(): Promise<SendResult> {
      const outcome = outcomes[Math.min(seen.length, outcomes.length - 1)]!;
      return { ...measured, outcome };
    },
  };
  const onAttempt = (made: SendResult, samples: number): void => {
    expect(samples).toBe(3);
    seen.push(made.outcome);
  };
  const options = { ...settings(), ...more, isLongAway: () => isLongAway, onAttempt };
  const retrying = new RetryingTransport(transport, options);
  return retrying.send(chunk, new AbortController().signal);
}

/** Lets time pass until a post has ended. */
async function finish(posted: Promise<SendResult>): Promise<SendOutcome> {
  let ended = false;
  void posted.finally(() => (ended = true));
  for (let turn = 0; !ended && turn < 100; turn++) await clock.advance(clock.nextWakeMs ?? 0);
  return (await posted).outcome;
}

describe('retrying transport:', () => {
  test.each<SendOutcome>([
    { kind: 'delivered' },
    { kind: 'partial', accepted: 1, rejected: [] },
    { kind: 'rejected', reason: 'HTTP 400' },
    { kind: 'hold', reason: 'HTTP 401' },
  ])('does not retry the outcome $kind', async (outcome) => {
    expect(await finish(post([outcome]))).toEqual(outcome);
    expect([seen.length, clock.sleeps]).toEqual([1, []]);
  });

  test('retries after 5 s and 15 s, and then returns the last outcome', async () => {
    expect(await finish(post([away]))).toEqual(away);
    expect([seen.length, clock.sleeps]).toEqual([3, [5_000, 15_000]]);
  });

  test('returns the first outcome that is not retry', async () => {
    expect(await finish(post([away, { kind: 'delivered' }]))).toEqual({ kind: 'delivered' });
    expect(seen).toEqual([away, { kind: 'delivered' }]);
  });

  test('makes one attempt if one is configured', async () => {
    await finish(post([away], { attempts: 1 }));
    expect([seen.length, clock.sleeps]).toEqual([1, []]);
  });

  test('makes one attempt if the receiver has been away for long', async () => {
    expect((await finish(post([{ kind: 'retry', reason: 'away' }], { isLongAway: true }))).kind).toBe('retry');
    expect([seen.length, clock.sleeps]).toEqual([1, []]);
  });

  test('waits the longer of backoff and Retry-After', async () => {
    await finish(
      post([
        { ...away, retryAfterMs: 7_000 },
        { ...away, retryAfterMs: 7_000 },
      ]),
    );
    expect(clock.sleeps).toEqual([7_000, 15_000]);
  });

  test('varies its waits at random', async () => {
    await finish(post([away], { random: () => 0 }));
    expect(clock.sleeps).toEqual([4_000, 12_000]);
  });
});

describe('retrying transport, backoff shared with requests beside the queue:', () => {
  let outcome: SendOutcome;
  const { signal } = new AbortController();
  const create = (): RetryingTransport =>
    new RetryingTransport(
      { format: 'json-lines', send: async () => ({ ...measured, outcome }) },
      { ...settings(), attempts: 1, onAttempt: () => undefined },
    );
  const waitMs = ({ pause }: RetryingTransport): number => pause.backoffUntil - clock.monotonic();

  test('a chunk that is sent once lengthens the wait of the next one, and ends it', async () => {
    const retrying = create();
    outcome = away;
    await retrying.sendOnce(chunk, signal);
    expect(waitMs(retrying)).toBe(5_000);
    await retrying.send(chunk, signal);
    expect(waitMs(retrying)).toBe(15_000);
    outcome = { kind: 'delivered' };
    await retrying.sendOnce(chunk, signal);
    expect(waitMs(retrying)).toBe(-Infinity);
  });

  test('a failed request without samples lengthens the wait, and a successful one does not end it', () => {
    const retrying = create();
    const note = (asked: SendOutcome): number => {
      retrying.noteAsked({ ...measured, outcome: asked });
      return waitMs(retrying);
    };
    expect([note({ kind: 'delivered' }), note(away)]).toEqual([-Infinity, 5_000]);
    expect([note({ kind: 'delivered' }), note({ kind: 'rejected', reason: 'HTTP 400' })]).toEqual([5_000, 15_000]);
    expect(note({ kind: 'hold', reason: 'HTTP 401' })).toBe(45_000);
  });
});

describe('retrying transport at a stop:', () => {
  test('ends the wait at once, with the outcome of the last attempt', async () => {
    const posted = post([away]);
    await clock.advance(1_000);
    expect(clock.sleeping).toBe(1);
    stop.abort();
    expect((await posted).outcome).toEqual(away);
    expect([seen.length, clock.sleeping]).toEqual([1, 0]);
  });

  test('makes one attempt if the stop came before', async () => {
    stop.abort();
    await post([away]);
    expect([seen.length, clock.sleeps]).toEqual([1, []]);
  });
});

test('retrying transport: logs each attempt and each backoff at debug', async () => {
  await finish(post([away, { kind: 'delivered' }]));
  expect(log.messages()).toEqual([]);
  expect(log.lines.map(({ fields }) => fields)).toMatchObject([
    { attempt: 1, outcome: 'retry', count: 3, endpoint: 'http://receiver/', error: 'HTTP 503', bytes_sent: 10 },
    { attempt: 1, backoff_ms: 5_000 },
    { attempt: 2, outcome: 'delivered' },
  ]);
});

test.each([429, 503])(
  'retrying transport: behind a limit of a request a second, %d comes once in forty',
  async (status) => {
    const statuses: number[] = [];
    let acceptedAtMs = -Infinity;
    const send = async (): Promise<SendResult> => {
      const isAccepted = clock.monotonic() - acceptedAtMs >= 1_000;
      if (isAccepted) acceptedAtMs = clock.monotonic();
      statuses.push(isAccepted ? 204 : status);
      const outcome: SendOutcome = isAccepted ? { kind: 'delivered' } : { kind: 'retry', reason: `HTTP ${status}` };
      return { ...measured, outcome, status: statuses.at(-1) };
    };
    const retrying = new RetryingTransport(
      { format: 'json-lines', send },
      { ...settings(), onAttempt: () => undefined },
    );
    for (let turn = 0; turn < 200; turn++) {
      expect(await finish(retrying.send(chunk, new AbortController().signal))).toEqual({ kind: 'delivered' });
      await clock.advance(700);
    }
    expect(statuses.filter((each) => each === status).length).toBeLessThanOrEqual(statuses.length / 40);
  },
);
