import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { RequestPace } from '../../../../uploader/src/transport/request-pace.ts';

const BACKOFF_MS = 5_000;

let pace: RequestPace;
let nowMs: number;
beforeEach(() => {
  pace = new RequestPace();
  nowMs = 0;
});

interface Limit {
  /** Between two accepted requests, beyond those of the burst. */
  readonly gapMs: number;
  readonly burst: number;
}

/** nginx' limit_req: each accepted request adds its gap to what has to pass. */
class LimitedReceiver {
  readonly #limit: Limit;
  #excessMs = 0;
  #lastAtMs = 0;

  constructor(limit: Limit) {
    this.#limit = limit;
  }

  accepts(atMs: number): boolean {
    const { gapMs, burst } = this.#limit;
    const excessMs = Math.max(0, this.#excessMs - (atMs - this.#lastAtMs)) + gapMs;
    if (excessMs > (burst + 1) * gapMs) return false;
    this.#excessMs = excessMs;
    this.#lastAtMs = atMs;
    return true;
  }
}

/** Sends requests, one each interval at most; returns how many were refused, and how long it took. */
function send(accepts: (atMs: number) => boolean, requests: number, intervalMs: number) {
  const startedAtMs = nowMs;
  let refused = 0;
  for (let sent = 0; sent < requests; sent++) {
    nowMs += intervalMs;
    nowMs += pace.waitMs(nowMs);
    if (accepts(nowMs)) pace.accepted(nowMs);
    else {
      pace.refused(nowMs);
      refused += 1;
      nowMs += BACKOFF_MS;
    }
  }
  return { refused, tookMs: nowMs - startedAtMs };
}

describe('request pace:', () => {
  test.each<[string, Limit, number]>([
    ['one a second', { gapMs: 1_000, burst: 0 }, 700],
    ['one a second, in a drain', { gapMs: 1_000, burst: 0 }, 5],
    ['one a second, five more at once', { gapMs: 1_000, burst: 5 }, 20],
    ['ten a second', { gapMs: 100, burst: 0 }, 10],
    ['one in five seconds', { gapMs: 5_000, burst: 0 }, 2_000],
  ])('a limit of %s refuses at most one request in twenty in the long run', (_, limit, intervalMs) => {
    const receiver = new LimitedReceiver(limit);
    const accepts = (atMs: number): boolean => receiver.accepts(atMs);
    send(accepts, 100, intervalMs);
    expect(send(accepts, 1_000, intervalMs).refused).toBeLessThanOrEqual(50);
  });

  test('a limit of any kind refuses at most one request in twenty in the long run', () => {
    const anyLimit = fc.record({ gapMs: fc.integer({ min: 30, max: 6_000 }), burst: fc.integer({ min: 0, max: 20 }) });
    fc.assert(
      fc.property(anyLimit, fc.integer({ min: 1, max: 3_000 }), (limit, intervalMs) => {
        pace = new RequestPace();
        nowMs = 0;
        const receiver = new LimitedReceiver(limit);
        expect(send((atMs) => receiver.accepts(atMs), 2_000, intervalMs).refused).toBeLessThanOrEqual(100);
      }),
    );
  });

  test('a receiver without a limit gets requests at once, also after an outage of 503', () => {
    let refusals = 30;
    send(() => true, 100, 5);
    const { tookMs } = send(() => (refusals -= 1) < 0, 1_030, 5);
    expect(tookMs).toBeLessThanOrEqual(1_030 * 5 + 30 * BACKOFF_MS);
  });

  test('a receiver that refused twice long ago gets requests at once again', () => {
    send((atMs) => Math.floor(atMs / 1_000) % 2 === 0, 100, 100);
    send(() => true, 600, 5);
    expect(send(() => true, 1_000, 5).tookMs).toBe(5_000);
  });

  test.each([
    ['an outage', 40_000, 1_000],
    ['a refusal after a long pause', 1_000, 30_000],
  ])('%s is no limit', (_, outageMs, gapMs) => {
    for (let turn = 0; turn < 5; turn++) {
      pace.accepted((nowMs += gapMs));
      pace.refused((nowMs += gapMs));
      nowMs += outageMs;
    }
    pace.accepted(nowMs);
    expect(pace.waitMs(nowMs)).toBe(0);
  });
});
