import { expect, test } from '@jest/globals';

import { ticks, type TickerOptions } from '@thugshells/shared/ticker.ts';

import { FakeClock } from '../../support/fake-clock.ts';

interface Recording {
  readonly clock: FakeClock;
  /** When each tick came, in monotonic milliseconds. */
  readonly at: number[];
  readonly stop: AbortController;
}

async function record(
  options: Omit<TickerOptions, 'stop'>,
  work: (clock: FakeClock) => Promise<void> = async () => undefined,
): Promise<Recording> {
  const recording = { clock: new FakeClock(), at: [] as number[], stop: new AbortController() };
  void (async () => {
    for await (const _ of ticks(recording.clock, { ...options, stop: recording.stop.signal })) {
      recording.at.push(recording.clock.monotonic());
      await work(recording.clock);
    }
  })();
  await recording.clock.advance(0);
  return recording;
}

test('ticker: ticks at once and then once per interval', async () => {
  const { clock, at } = await record({ intervalMs: 10 });
  await clock.advance(35);
  expect(at).toEqual([0, 10, 20, 30]);
});

test('ticker: waits for the first tick as long as it is told', async () => {
  const { clock, at } = await record({ intervalMs: 10, firstInMs: 4 });
  await clock.advance(25);
  expect(at).toEqual([4, 14, 24]);
});

test('ticker: skips the ticks that pass during slow work and keeps the rhythm', async () => {
  const { clock, at } = await record({ intervalMs: 10 }, (slow) => slow.sleep(25));
  await clock.advance(70);
  expect(at).toEqual([0, 30, 60]);
});

test('ticker: asks a variable interval anew after each tick', async () => {
  let intervalMs = 5;
  const { clock, at } = await record({ intervalMs: () => (intervalMs += 5) });
  await clock.advance(50);
  expect(at).toEqual([0, 10, 25, 45]);
});

test('ticker: ends at once when it is stopped during a wait', async () => {
  const { clock, at, stop } = await record({ intervalMs: 10 });
  await clock.advance(5);
  stop.abort();
  await clock.advance(50);
  expect(at).toEqual([0]);
  expect(clock.sleeping).toBe(0);
});
