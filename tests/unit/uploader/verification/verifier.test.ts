import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { systemClock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';

import { STALE_MARKER, toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { RowReader } from '../../../../uploader/src/encoding/rows/row-reader.ts';
import { DeliveredRows } from '../../../../uploader/src/queue/delivered-rows.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import type { QueryResult } from '../../../../uploader/src/transport/query-client.ts';
import { ReceivedTimes } from '../../../../uploader/src/verification/received-times.ts';
import { ReceiverSamples } from '../../../../uploader/src/verification/receiver-samples.ts';
import { SeriesCatalog } from '../../../../uploader/src/verification/series-catalog.ts';
import { Verifier, type VerifiedSlice } from '../../../../uploader/src/verification/verifier.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

const never = new AbortController().signal;
const hour = { afterMs: START_MS - 1, throughMs: START_MS + 3_600_000 };
/** As if the verification had begun long ago: nothing is waited for. */
let monotonic = 0;
const clock = { ...systemClock, monotonic: () => (monotonic += 60_000) };

let stored: StoredSamples;
let settled: SettledRanges;
beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
});
afterEach(() => stored.remove());

/** What a receiver would answer that holds these times, by series name. */
function receiverOf(times: Readonly<Record<string, readonly number[]>>): ReceiverSamples {
  return new ReceiverSamples({
    query: async (expression, throughMs): Promise<QueryResult[]> => {
      const afterMs = throughMs - Number(/\[(\d+)ms\]/.exec(expression)![1]);
      return Object.entries(times).flatMap(([name, all]) => {
        const timestamps = all.filter((ms) => ms > afterMs && ms <= throughMs);
        const labels = { __name__: name, device_id: 'board-1', site: 'berlin' };
        return timestamps.length === 0 ? [] : [{ labels, value: timestamps.length, timestamps }];
      });
    },
  });
}

/** The same as a receiver that knows no function of VictoriaMetrics. */
function prometheusOf(times: Readonly<Record<string, readonly number[]>>): ReceiverSamples {
  return new ReceiverSamples({
    query: async (expression, throughMs): Promise<QueryResult[]> => {
      if (expression.endsWith('keep_metric_names')) throw new AgentError('no', { code: 'QUERY_REFUSED' });
      const afterMs = throughMs - Number(/\[(\d+)ms\]/.exec(expression)![1]);
      return Object.entries(times).map(([name, all]) => {
        const timestamps = all.filter((ms) => ms > afterMs && ms <= throughMs);
        const labels = { __name__: name, device_id: 'board-1', __name_index__: '0' };
        return { labels, value: timestamps.length, timestamps };
      });
    },
  });
}

async function verify(receiver: ReceiverSamples, dedupMs = 0): Promise<VerifiedSlice[]> {
  const rows = new DeliveredRows(stored.database);
  const catalog = new SeriesCatalog(new RowReader(stored.database));
  const delivered = rows.readDelivered().final;
  const results: VerifiedSlice[] = [];
  for await (const each of new Verifier({ clock, rows, catalog, receiver, delivered, dedupMs }).verify(hour, never))
    results.push(each);
  return results;
}

const idsOf = (results: readonly VerifiedSlice[]): number[] =>
  results.flatMap(({ missing }) => missing.flatMap(({ ids }) => [...ids]));
const seconds = (...numbers: readonly number[]): number[] => numbers.map((each) => START_MS + each * 1000);

describe('verifier', () => {
  test('names exactly the delivered samples that the receiver lacks, not pending, rejected and provisional ones', async () => {
    stored.rows(10, 'load');
    settled.deliver([[1, 8]]);
    settled.reject([{ id: 9, reason: 'bad' }]);
    stored.database.exec(`INSERT INTO provisional (accepted_at, ranges) VALUES (0, '[[8,8]]')`);
    expect(idsOf(await verify(receiverOf({ load: seconds(0, 1, 3, 5, 6) })))).toEqual([3, 5]);
    expect(idsOf(await verify(receiverOf({ load: seconds(0, 1, 2, 3, 4, 5, 6) })))).toEqual([]);
    expect(idsOf(await verify(receiverOf({})))).toEqual([1, 2, 3, 4, 5, 6, 7]);
  });

  test('compares corrected times across epochs', async () => {
    stored.rows(3, 'load');
    stored.beginEpoch(100_000, true);
    stored.rows(3, 'load');
    settled.deliver([[1, 6]]);
    expect(idsOf(await verify(receiverOf({ load: seconds(0, 1, 2, 103, 105) })))).toEqual([5]);
  });

  test('finds what is missing beside samples of somebody else, and names those', async () => {
    stored.rows(4, 'load');
    settled.deliver([[1, 4]]);
    const results = await verify(receiverOf({ load: seconds(0, 1, 2, 2.5, 2.6) }));
    expect(idsOf(results)).toEqual([4]);
    expect(results.flatMap(({ foreign }) => foreign)).toMatchObject([{ count: 2, firstMs: START_MS + 2_500 }]);
  });

  test('takes what deduplication has merged for delivered, and nothing else', async () => {
    stored.rows(25, 'load');
    settled.deliver([[1, 25]]);
    // START_MS is a multiple of 10 s: its own sample ends an interval.
    expect(idsOf(await verify(receiverOf({ load: seconds(0, 10, 20, 24) }), 10_000))).toEqual([]);
    // The interval of 11 to 20 s is gone, and of the one before it what came last.
    const found = idsOf(await verify(receiverOf({ load: seconds(0, 9, 24) }), 10_000));
    expect(found).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21]);
  });

  describe('of special values', () => {
    const values: readonly SampleValue[] = [1, STALE_MARKER, NaN, -0, 2];
    beforeEach(() => {
      const series = stored.series('load');
      values.forEach((value, index) => stored.add(series, START_MS + index * 1000, toStoredValue(value)));
      settled.deliver([[1, values.length]]);
    });

    test('does not miss the end of a series, which no receiver counts, nor NaN at one that drops it, but −0', async () => {
      expect(idsOf(await verify(receiverOf({ load: seconds(0, 3, 4) })))).toEqual([]);
      expect(idsOf(await verify(receiverOf({ load: seconds(0, 4) })))).toEqual([4]);
      expect(idsOf(await verify(receiverOf({})))).toEqual([1, 4, 5]);
    });

    test('takes them for no samples of somebody else where the receiver returns them', async () => {
      const results = await verify(receiverOf({ load: seconds(0, 1, 2, 3, 4) }));
      expect([idsOf(results), results.flatMap(({ foreign }) => foreign)]).toEqual([[], []]);
    });

    test('misses NaN at a receiver that keeps it, as Prometheus does', async () => {
      const prometheus = prometheusOf({ load: seconds(0, 3, 4) });
      expect(idsOf(await verify(prometheus))).toEqual([3]);
    });

    test('does not miss a sample in the place of which deduplication keeps the end of its series', async () => {
      // The end is at 1 s, in the interval that ends at 10 s with all others but the first sample.
      expect(idsOf(await verify(receiverOf({ load: seconds(0) }), 10_000))).toEqual([]);
    });
  });

  test('halves a slice with more missing samples than are gathered at once, and misses none', async () => {
    const series = Array.from({ length: 30 }, (_, index) => stored.series(`load${index}`));
    stored.scrapes(2_000, series);
    settled.deliver([[1, 60_000]]);
    const results = await verify(receiverOf({}));
    expect(results.length).toBe(2);
    expect(idsOf(results).sort((a, b) => a - b)).toEqual(Array.from({ length: 60_000 }, (_, index) => index + 1));
  });

  test('ends with the error of a receiver that cannot be read', async () => {
    stored.rows(3, 'load');
    settled.deliver([[1, 3]]);
    const query = (): Promise<never> => Promise.reject(new AgentError('no', { code: 'RECEIVER_UNREADABLE' }));
    await expect(verify(new ReceiverSamples({ query }))).rejects.toMatchObject({ code: 'RECEIVER_UNREADABLE' });
  });
});

test('receiver samples: of a receiver without keep_metric_names each name is counted apart', async () => {
  const asked: string[] = [];
  const receiver = new ReceiverSamples({
    query: async (expression): Promise<QueryResult[]> => {
      asked.push(expression);
      if (expression.endsWith('keep_metric_names')) throw new AgentError('no', { code: 'QUERY_REFUSED' });
      return [{ labels: { device_id: 'x', __name_index__: '1' }, value: 3, timestamps: [] }];
    },
  });
  const selection = { deviceIds: ['x', 'y.z'], names: ['a', 'b'] };
  const counted = await receiver.count(hour, selection, never);
  expect(counted).toEqual([{ labels: { device_id: 'x', __name__: 'b' }, value: 3, timestamps: [] }]);
  await receiver.count(hour, selection, never);
  expect(asked.filter((each) => each.endsWith('keep_metric_names'))).toHaveLength(1);
  expect(asked[1]).toContain('device_id=~"x|y\\\\.z"');
});

test('received times: without deduplication no time stands for another one', () => {
  const times = new ReceivedTimes({ key: '', labels: {}, name: '' }, 0);
  times.add([1000]);
  expect([times.take(999), times.take(1000), times.take(1001)]).toEqual([false, true, false]);
});
