import { beforeEach, expect, test } from '@jest/globals';

import { OverdueWatch } from '../../../../collector/src/scheduling/overdue-watch.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { RecordedLog } from '../../../support/recorded-log.ts';

let clock: FakeClock;
let log: RecordedLog;
let overdue: OverdueWatch;
let reported: string[];

beforeEach(() => {
  [clock, log, reported] = [new FakeClock(), new RecordedLog(), []];
  overdue = new OverdueWatch({ clock, logger: log, onOverdue: (collector) => reported.push(collector) });
});

/** Watches a scrape that takes a time; without one, it never ends. */
async function scrape(collector: string, intervalMs: number, takesMs?: number): Promise<void> {
  const ended = new AbortController();
  void overdue.watch(collector, intervalMs, ended.signal);
  if (takesMs === undefined) return;
  await clock.advance(takesMs);
  ended.abort();
  overdue.end(collector, intervalMs, takesMs);
}

test('overdue watch: a scrape that does not end is named once, after three intervals and five seconds at least', async () => {
  await scrape('textfile', 30_000);
  await scrape('disk', 1_000);
  await clock.advance(4_999);
  expect(overdue.collectors).toEqual([]);
  await clock.advance(1);
  expect(overdue.collectors).toEqual(['disk']);
  await clock.advance(84_999);
  expect(overdue.collectors).toEqual(['disk']);
  await clock.advance(86_400_000);
  expect(overdue.collectors).toEqual(['disk', 'textfile']);
  expect(reported).toEqual(['disk', 'textfile']);
  expect(log.lines).toMatchObject([
    { level: 'warn', message: 'scrape overdue', fields: { collector: 'disk', duration_ms: 5_000 } },
    { level: 'warn', message: 'scrape overdue', fields: { collector: 'textfile', duration_ms: 90_000 } },
  ]);
});

test('overdue watch: scrapes that end in time are no matter, and leave no sleeper', async () => {
  await scrape('cpu', 10_000, 29_999);
  await scrape('cpu', 10_000, 1);
  expect([overdue.collectors, log.lines, clock.sleeping]).toEqual([[], [], 0]);
});

test('overdue watch: a collector is overdue until a scrape ends in time, and each change is logged once', async () => {
  for (const takesMs of [40_000, 35_000]) await scrape('nas', 10_000, takesMs);
  expect(overdue.collectors).toEqual(['nas']);
  await scrape('nas', 10_000, 2_000);
  expect(overdue.collectors).toEqual([]);
  await scrape('nas', 10_000);
  await clock.advance(30_000);
  expect(log.said('warn')).toEqual(['warn: scrape overdue', 'warn: collector recovered', 'warn: scrape overdue']);
});
