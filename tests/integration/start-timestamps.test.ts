import { afterEach, expect, test } from '@jest/globals';

import { OPEN_METRICS } from '../support/changing-exporter.ts';
import { TwoScrapers, type LastSamples } from '../support/two-scrapers.ts';

/** The start timestamps of remote write 2.0 through the agent and through the real Prometheus. */

const scrapers = new TwoScrapers();
afterEach(() => scrapers.stop());

const FIRST = 1_700_000_000.123;

/** A page whose counters, histograms and summaries began at a time; of one counter nothing is known. */
function createPage(createdSeconds: number): string {
  return `# TYPE opened counter
opened_total{door="a"} 17.0
opened_created{door="a"} ${createdSeconds}
opened_total{door="b"} 3.0
opened_created{door="b"} ${createdSeconds + 1}
# TYPE lid histogram
lid_bucket{le="1.0"} 4.0
lid_bucket{le="+Inf"} 5.0
lid_count 5.0
lid_sum 7.0
lid_created ${createdSeconds + 2}
# TYPE pump summary
pump{quantile="0.5"} NaN
pump_count 2.0
pump_sum 2.0
pump_created ${createdSeconds + 3}
# TYPE quiet counter
quiet_total 1.0
# TYPE level gauge
level 1.0
# EOF
`;
}

function toStarts(last: LastSamples): Record<string, number> {
  const isOfPage = (series: string): boolean => /^(opened|lid|pump|quiet|level)/.test(series);
  return Object.fromEntries(
    [...last].flatMap(([series, { startMs }]) => (isOfPage(series) ? [[series, startMs]] : [])),
  );
}

const isCreated = (series: string): boolean => /_created\b/.test(series);

test('start timestamps: are those that Prometheus sends with its feature st-storage, also after the exporter was restarted', async () => {
  await scrapers.start({}, ['st-storage']);
  const compare = async (createdSeconds: number): Promise<Record<string, number>> => {
    const { ours, theirs } = await scrapers.serve({ body: createPage(createdSeconds), contentType: OPEN_METRICS });
    const sent = toStarts(ours);
    // With the feature Prometheus stores no `_created` series; without it, as by default, it does.
    const others = Object.entries(sent).filter(([series]) => !isCreated(series));
    expect(Object.fromEntries(others)).toEqual(toStarts(theirs));
    return sent;
  };
  const first = 1_700_000_000_123;
  expect(await compare(FIRST)).toMatchObject({
    'opened_total{door="a"}': first,
    'opened_total{door="b"}': first + 1_000,
    'lid_bucket{le="+Inf"}': first + 2_000,
    pump_sum: first + 3_000,
    quiet_total: 0,
    level: 0,
    'opened_created{door="a"}': 0,
  });
  expect(await compare(FIRST + 86_400)).toMatchObject({ 'opened_total{door="a"}': first + 86_400_000 });
}, 180_000);

test('start timestamps: the series of a page are those that Prometheus sends by default, `_created` among them', async () => {
  await scrapers.start();
  const { ours, theirs } = await scrapers.serve({ body: createPage(FIRST), contentType: OPEN_METRICS });
  expect([...ours.keys()].sort()).toEqual([...theirs.keys()].sort());
  expect([...theirs.keys()].filter(isCreated)).toHaveLength(4);
  expect(new Set(Object.values(toStarts(theirs)))).toEqual(new Set([0]));
}, 120_000);
