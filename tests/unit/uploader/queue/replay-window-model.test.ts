import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  QUESTION_INTERVAL_MS,
  SimulatedPath,
  type SimulatedEvent,
  type SimulatedPathOptions,
} from '../../../support/uploader/simulated-path.ts';

const RUNS = Number(process.env['REPLAY_RUNS'] ?? 200);
/** Longer than the longest time between two questions. */
const QUIET_MS = 15 * 60_000;

const path = fc.record<SimulatedPathOptions>({
  isProxied: fc.boolean(),
  ends: fc.constantFrom('never', 'never', 'after each', 'unannounced after each', 'announced timeout', 'timeout'),
  idleTimeoutMs: fc.constantFrom(1_000, 3_000, 10_000, 60_000),
  endDelayMs: fc.constantFrom(0, 0, 100, 7_000, 20_000, 10_000_000),
  limitMs: fc.constantFrom(0, 0, 800, 3_000),
  isReadable: fc.constant(true),
  uploadIntervalMs: fc.constantFrom(500, 2_000, 5_000, 11_000, 30_000),
  endsComeFirst: fc.boolean(),
  uptimeLagMs: fc.constantFrom(0, 900, 2_000),
});

const events = fc.array(
  fc.record<SimulatedEvent>({
    afterMs: fc.oneof(fc.integer({ min: 0, max: 8_000 }), fc.integer({ min: 0, max: 60_000 })),
    kind: fc.constantFrom('kill', 'kill', 'connection ends', 'response lost'),
    downMs: fc.constantFrom(0, 300, 1_500, 6_000, 40_000),
  }),
  { maxLength: 8 },
);

/** Lets the events happen, and then enough time for every doubt to be settled. */
function live(options: SimulatedPathOptions, happened: readonly SimulatedEvent[]): SimulatedPath {
  const simulated = new SimulatedPath(options);
  for (const event of happened) simulated.perform(event);
  simulated.pass(QUIET_MS, 1_000);
  return simulated;
}

test('replay window: on any path, whatever is killed, loses nothing, repeats only what a restart may have lost, and asks at most once in each probe interval', () => {
  fc.assert(
    fc.property(path, events, (options, happened) => {
      const { lost, mostRepeats, restarts, questions, oldestProvisionalMs, isUnreadable } = live(options, happened);
      const gaps = questions.slice(1).map((atMs, index) => atMs - questions[index]!);
      expect(Math.min(QUESTION_INTERVAL_MS, ...gaps)).toBe(QUESTION_INTERVAL_MS);
      expect(oldestProvisionalMs).toBeLessThanOrEqual(11 * 60_000);
      if (isUnreadable) return;
      expect(lost).toEqual([]);
      // Once for each restart, once more if it was sent within the first seconds of the new process, and for each lost response.
      const lostResponses = happened.filter(({ kind }) => kind === 'response lost').length;
      expect(mostRepeats).toBeLessThanOrEqual(2 * restarts + lostResponses);
    }),
    { numRuns: RUNS },
  );
});

test('replay window: asks less and less often on a path that ends connections at random', () => {
  const options: SimulatedPathOptions = {
    isProxied: false,
    ends: 'never',
    idleTimeoutMs: 0,
    endDelayMs: 0,
    limitMs: 0,
    isReadable: true,
    uploadIntervalMs: 5_000,
    endsComeFirst: false,
    uptimeLagMs: 0,
  };
  const flakes = Array.from({ length: 200 }, (_, index) => ({
    afterMs: 7_000 + ((index * 7_919) % 20_000),
    kind: 'connection ends' as const,
    downMs: 0,
  }));
  const { questions, mostRepeats, lost } = live(options, flakes);
  expect([mostRepeats, lost]).toEqual([0, []]);
  // An hour: at 5, 10, 20 … s, and then every 10 minutes.
  expect(questions.length).toBeLessThanOrEqual(16);
});

test('replay window: a receiver that never says since when it runs gets each sample at most twice, and loses nothing in its first restart', () => {
  const unreadable = path.map((options) => ({ ...options, isReadable: false, limitMs: 0 }));
  fc.assert(
    fc.property(
      unreadable,
      fc.integer({ min: 0, max: 60_000 }),
      fc.constantFrom(0, 300, 6_000),
      (options, afterMs, downMs) => {
        // A path with a habit takes some ends to be known; what has been sent again by then is not sent again for a kill.
        if (options.ends === 'timeout' || options.ends === 'unannounced after each') return;
        const { lost, mostRepeats } = live(options, [{ afterMs, kind: 'kill', downMs }]);
        expect([lost, mostRepeats <= 1]).toEqual([[], true]);
      },
    ),
    { numRuns: RUNS },
  );
});

test('replay window: on a path that ends idle connections nothing is sent again once their age is known, and nothing is asked', () => {
  const idle = fc.record({
    ends: fc.constant<SimulatedPathOptions['ends']>('timeout'),
    isProxied: fc.boolean(),
    isReadable: fc.boolean(),
    endsComeFirst: fc.boolean(),
  });
  fc.assert(
    fc.property(path, idle, (options, more) => {
      const simulated = new SimulatedPath({
        ...options,
        ...more,
        limitMs: 0,
        uploadIntervalMs: 11_000,
        idleTimeoutMs: 10_000,
      });
      simulated.pass(3_600_000);
      expect([simulated.lost, simulated.mostRepeats, simulated.questions.length]).toEqual([
        [],
        more.isReadable ? 0 : 1,
        1,
      ]);
    }),
    { numRuns: 20 },
  );
});
