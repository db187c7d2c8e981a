import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';

import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { VerifiedRanges, VerifiedState } from '../../../../uploader/src/queue/verified-ranges.ts';
import type { QueryResult } from '../../../../uploader/src/transport/query-client.ts';
import type { ReceiverFlags } from '../../../../uploader/src/transport/receiver-flags.ts';
import { BackgroundVerifier } from '../../../../uploader/src/verification/background-verifier.ts';
import { idsIn, START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const never = new AbortController().signal;
const HOUR_MS = 3_600_000;
/** As if runs began long after each other: nothing is waited for. */
let monotonic = 0;
const clock = { ...systemClock, monotonic: () => (monotonic += 60_000) };

let stored: StoredSamples;
let settled: SettledRanges;
let nowMs: number;
/** What the receiver holds: times by series name. */
let held: Record<string, number[]>;
let asked: string[];
let flags: ReceiverFlags | undefined;
let failure: AgentError | undefined;
beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
  nowMs = START_MS + 24 * HOUR_MS;
  held = {};
  asked = [];
  flags = undefined;
  failure = undefined;
});
afterEach(() => stored.remove());

async function query(expression: string, throughMs: number): Promise<QueryResult[]> {
  if (failure !== undefined) throw failure;
  asked.push(expression);
  const afterMs = throughMs - Number(/\[(\d+)ms\]/.exec(expression)![1]);
  const results = Object.entries(held).flatMap(([name, all]) => {
    const timestamps = all.filter((ms) => ms > afterMs && ms <= throughMs);
    const labels = { __name__: name, device_id: 'board-1' };
    return timestamps.length === 0 ? [] : [{ labels, value: timestamps.length, timestamps }];
  });
  if (!expression.startsWith('sum(')) return results;
  return [{ labels: {}, value: results.reduce((sum, { value }) => sum + value, 0), timestamps: [] }];
}

function create({ requeues = true, isIdle = (): boolean => true } = {}): BackgroundVerifier {
  const client = { query, findFlags: async () => ({ flags, isAnswered: true }), bytes: 0 };
  const { database } = stored;
  const now = (): number => nowMs;
  return new BackgroundVerifier({ clock, logger: silentLogger, database, settled, client, requeues, now, isIdle });
}

const seconds = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => START_MS + (from + index) * 1000);
const totals = (): string[] => asked.filter((each) => each.startsWith('sum('));
const idsOf = (state: VerifiedState): number[] => idsIn(new VerifiedRanges(stored.database).read(state));

describe('background verifier', () => {
  test.each([
    ['beginning', 0],
    ['middle', 6],
    ['end', 11],
  ])('compares all rows if one at the %s of what is due has a time of its own', async (_, place) => {
    const [load, aged] = [stored.series('load'), stored.series('aged')];
    for (let id = 0; id < 12; id++)
      if (id === place) stored.add(aged, START_MS - HOUR_MS / 2, 1);
      else stored.add(load, START_MS + id * 1000, 1);
    settled.deliver([[1, 12]]);
    held = { load: [] };
    const verifier = create();
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual(idsIn([[1, 12]]));
    expect(verifier.state).toMatchObject({ missing: 12, requeued: 12 });
  });

  test('compares only what was delivered since the last run', async () => {
    stored.rows(20, 'load');
    settled.deliver([[1, 10]]);
    held = { load: seconds(0, 9) };
    const verifier = create();
    await verifier.run(never);
    expect(verifier.state).toMatchObject({ missing: 0, throughMs: START_MS + 9_000 });
    asked = [];
    await verifier.run(never);
    expect(asked).toEqual(totals());
    settled.deliver([[11, 20]]);
    held = { load: seconds(0, 19) };
    asked = [];
    await verifier.run(never);
    expect(asked.filter((each) => !totals().includes(each))).toEqual([expect.stringContaining('[9001ms]')]);
    expect(verifier.state).toMatchObject({ missing: 0, throughMs: START_MS + 19_000 });
    expect(create().state.throughMs).toBe(START_MS + 19_000);
  });

  test('sends what is missing again, four times, and tells what arrived then from what did not', async () => {
    stored.rows(10, 'load');
    settled.deliver([[1, 10]]);
    held = { load: seconds(0, 4) };
    const verifier = create();
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual([6, 7, 8, 9, 10]);
    expect(verifier.state).toMatchObject({ missing: 5, requeued: 5, reverified: 0, missingAgain: 0 });
    settled.deliver([[6, 10]]);
    held = { load: seconds(0, 7) };
    for (const requeued of [7, 9, 11]) {
      await verifier.run(never);
      expect(stored.idsOf('pending')).toEqual([9, 10]);
      expect(verifier.state).toMatchObject({ missing: 5, requeued, reverified: 3, missingAgain: 0 });
      settled.deliver([[9, 10]]);
    }
    await verifier.run(never);
    expect(verifier.state).toMatchObject({ missing: 5, requeued: 11, reverified: 3, missingAgain: 2 });
    expect(verifier.state.lastLost).toMatchObject({ count: 2, outcome: 'missing again' });
    expect(idsOf(VerifiedState.missingAgain)).toEqual([9, 10]);
    asked = [];
    await verifier.run(never);
    expect(asked).toEqual(totals());
    expect(stored.idsOf('pending')).toEqual([]);
  });

  test('reports what is missing, and sends nothing, where that is not wanted', async () => {
    stored.rows(10, 'load');
    settled.deliver([[1, 10]]);
    held = { load: seconds(0, 7) };
    const verifier = create({ requeues: false });
    for (let run = 0; run < 2; run++) await verifier.run(never);
    expect(verifier.state).toMatchObject({ missing: 2, requeued: 0, lastLost: { outcome: 'reported' } });
    expect(stored.idsOf('pending')).toEqual([]);
  });

  test('compares everything anew once the receiver has fewer samples than it had, and not what it drops', async () => {
    stored.rows(10, 'load');
    stored.rows(10, 'dropped');
    settled.deliver([[1, 20]]);
    held = { load: seconds(0, 9) };
    const verifier = create();
    for (let run = 0; run < 5; run++) {
      await verifier.run(never);
      settled.deliver([[11, 20]]);
    }
    expect(verifier.state).toMatchObject({ missing: 10, requeued: 40, missingAgain: 10 });
    held = { load: seconds(0, 5) };
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual([7, 8, 9, 10]);
    expect(verifier.state).toMatchObject({ missing: 14, missingAgain: 10 });
  });

  test('sends nothing again of a series that the receiver drops, until it has one of its samples', async () => {
    const [load, dropped] = [stored.series('load'), stored.series('dropped')];
    const scrape = (): void => void settled.deliver([stored.scrapes(1, [load, dropped])].map(([a, b]) => [a!, b!]));
    const verifier = create();
    for (let run = 0; run < 7; run++) {
      scrape();
      held = { load: stored.idsOf('delivered').map((id) => START_MS + (id - (id % 2 === 0 ? 2 : 1)) * 1000) };
      await verifier.run(never);
      settled.deliver([[1, 2 * run + 2]]);
    }
    // Four times the first one, three times the second, and so on; from the fifth run on none.
    expect(verifier.state.requeued).toBe(4 + 3 + 2 + 1);
    expect(verifier.state.missingAgain).toBe(7);
  });

  test('compares again what somebody requeued and was delivered again', async () => {
    stored.rows(10, 'load');
    settled.deliver([[1, 10]]);
    held = { load: seconds(0, 9) };
    const verifier = create();
    await verifier.run(never);
    settled.requeueDelivered([[3, 4]]);
    settled.deliver([[3, 4]]);
    held = { load: [...seconds(0, 2), ...seconds(4, 10)] };
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual([4]);
  });

  test('takes the newest slice first, and leaves the newest seconds and what is beyond retention', async () => {
    const load = stored.series('load');
    for (const hour of [0, 10, 20]) stored.add(load, START_MS + hour * HOUR_MS, 1);
    stored.add(load, nowMs - 10_000, 1);
    settled.deliver([[1, 4]]);
    flags = { retentionMs: 20 * HOUR_MS, acceptedAgeMs: undefined, dedupMs: 0 };
    const verifier = create();
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual([2, 3]);
    expect(verifier.state.lastLost).toMatchObject({ fromMs: START_MS + 10 * HOUR_MS });
    nowMs += 60_000;
    await verifier.run(never);
    expect(stored.idsOf('pending')).toEqual([2, 3, 4]);
    expect(idsOf(VerifiedState.judged)).toEqual([1]);
  });

  test('states a receiver that cannot be read, judges nothing, and goes on when it can be', async () => {
    stored.rows(5, 'load');
    settled.deliver([[1, 5]]);
    failure = new AgentError('cannot read it', { code: 'RECEIVER_UNREADABLE', hint: 'do this' });
    const verifier = create();
    await verifier.run(never);
    expect(verifier.state).toEqual({
      ...verifier.state,
      missing: 0,
      failure: 'cannot read it; do this',
      throughMs: START_MS - 1,
    });
    expect([idsOf(VerifiedState.judged), stored.idsOf('pending')]).toEqual([[], []]);
    failure = undefined;
    held = { load: seconds(0, 4) };
    await verifier.run(never);
    expect(verifier.state.failure).toBeUndefined();
    expect(verifier.state.throughMs).toBe(START_MS + 4_000);
  });

  test('waits while a backlog drains', async () => {
    stored.rows(5, 'load');
    settled.deliver([[1, 5]]);
    const stop = new AbortController();
    const isIdle = (): boolean => {
      stop.abort();
      return false;
    };
    await create({ isIdle }).run(stop.signal);
    expect(asked).toEqual([]);
  });

  test('keeps few ranges of what retention has thinned', async () => {
    stored.rows(200, 'load');
    settled.deliver([[1, 200]]);
    stored.drop(
      Array.from({ length: 200 }, (_, index) => index + 1).filter((id) => id % 10 !== 0),
      'retention',
    );
    held = { load: seconds(0, 199) };
    await create().run(never);
    expect(stored.number('SELECT COUNT(*) FROM verified_ranges')).toBe(1);
  });
});
