/** The cases of Prometheus' conformance suite for senders of remote write, by their names, that are about what is scraped. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { uncompress } from 'snappyjs';

import { AgentPair } from '../support/agent-pair.ts';
import { OPEN_METRICS } from '../support/changing-exporter.ts';
import { RemoteWriteReceiver, type ReceivedSeries } from '../support/remote-write-receiver.ts';
import { until } from '../support/until.ts';

const LONG_VALUE = 'x'.repeat(10_240);
const MANY_SERIES = 12_000;
/** With `up` and the others of each scrape. */
const MAX_SERIES = MANY_SERIES + 5;
const CREATED_SECONDS = 1_700_000_000.5;

const TEXT = `special{kind="nan"} NaN
special{kind="inf"} +Inf
special{kind="ninf"} -Inf
special{kind="zero"} 0
special{kind="nzero"} -0
special{kind="negative"} -123.45
owned{job="page",instance="elsewhere"} 1
# HELP opened_total Doors that were opened.
# TYPE opened_total counter
opened_total 100
# HELP level Of the tank.
# TYPE level gauge
level 22.5
# TYPE wait histogram
wait_bucket{le="0.1"} 50
wait_bucket{le="+Inf"} 100
wait_sum 10.5
wait_count 100
# TYPE call summary
call{quantile="0.5"} 0.05
call_sum 50
call_count 1000
long{path="${LONG_VALUE}"} 42
`;
const GONE = 'gone 1\n';

const OPEN = `# TYPE tank_litres gauge
# UNIT tank_litres litres
tank_litres 5.0
# TYPE pumped counter
pumped_total 100.0 # {trace_id="abc"} 99.0
pumped_created ${CREATED_SECONDS}
# TYPE unsaid counter
unsaid_total 50.0
# TYPE delay histogram
delay_bucket{le="+Inf"} 100.0 # {trace_id="def"} 0.05 1234567890.0
delay_count 100.0
delay_sum 250.0
delay_created ${CREATED_SECONDS}
# EOF
`;

const many = Array.from({ length: MANY_SERIES }, (_, index) => `many{of="${index}"} ${index}\n`).join('');

/** The numbers of metric types, in both versions. */
const TYPES = { counter: 1, gauge: 2, histogram: 3, summary: 5 } as const;
/** The bytes of a double on the wire, least significant first. */
const toWire = (bits: string): Buffer => Buffer.from(bits, 'hex').reverse();

/** An exporter, the two programs, and a receiver of one version. */
class ScrapedAgent {
  text = TEXT + GONE;
  receiver!: RemoteWriteReceiver;
  readonly #releases: (() => unknown)[] = [];

  async start(own: 1 | 2): Promise<void> {
    const server = createServer(({ url }, response) => {
      const open = { 'content-type': OPEN_METRICS };
      if (url === '/open') response.writeHead(200, open).end(OPEN);
      else response.end(url === '/many' ? many : this.text);
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    this.#releases.push(() => server.close().closeAllConnections());
    const host = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    this.receiver = await RemoteWriteReceiver.start(({ version }) => {
      if (own === 2) return { status: 204, written: 'all' };
      return { status: version.startsWith('2.') ? 415 : 204 };
    });
    this.#releases.push(() => this.receiver.stop());
    const agent = new AgentPair({
      REMOTE_URL: `${this.receiver.url}/`,
      REMOTE_PROTOCOL: 'remote-write',
      COLLECTORS: 'scrape',
      SCRAPE_TARGETS: `text=${host}/text open=${host}/open many=${host}/many`,
      SCRAPE_INTERVAL: '3s',
      SCRAPE_MAX_SERIES: String(MAX_SERIES),
      MAX_SERIES: String(2 * MAX_SERIES),
    });
    this.#releases.push(() => agent.remove());
    agent.start('collector');
    agent.start('uploader');
  }

  async stop(): Promise<void> {
    for (const release of this.#releases.splice(0).reverse()) await release();
  }

  /** The series of a metric, as each request has them. */
  find(metric: string, labels: Readonly<Record<string, string>> = {}): ReceivedSeries[] {
    const wanted = Object.entries({ __name__: metric, ...labels });
    return this.receiver.writes
      .flatMap(({ series }) => series)
      .filter((series) => wanted.every(([name, value]) => toLabels(series)[name] === value));
  }

  /** The first value of a series. */
  readValue(metric: string, labels?: Readonly<Record<string, string>>): number | undefined {
    return this.find(metric, labels)[0]?.samples[0]?.[1];
  }

  /** Whether a request has these bytes. */
  hasSent(bytes: Buffer): boolean {
    return this.receiver.writes.some(({ body }) => Buffer.from(uncompress(body)).includes(bytes));
  }

  get metadata(): unknown[] {
    return this.receiver.writes.flatMap(({ metadata }) => metadata);
  }
}

function toLabels({ labels }: ReceivedSeries): Record<string, string> {
  return Object.fromEntries(labels);
}

describe.each([1, 2] as const)('remote write conformance of scrapes, a receiver of %d.0:', (own) => {
  const agent = new ScrapedAgent();

  beforeAll(async () => {
    await agent.start(own);
    await until(
      'all targets have been sent',
      () =>
        ['gone', 'delay_sum'].every((metric) => agent.find(metric).length > 0) &&
        agent.find('many').length >= MANY_SERIES,
      60_000,
    );
    agent.text = TEXT;
    await until(
      'a series has ended',
      () => agent.find('gone').some(({ samples }) => Number.isNaN(samples.at(-1)![1])),
      60_000,
    );
  }, 150_000);
  afterAll(() => agent.stop());

  test('job_instance_labels_present: the page’s own are kept as exported_job and exported_instance', () => {
    const [owned] = agent.find('owned');
    expect(toLabels(owned!)).toMatchObject({
      job: 'text',
      instance: expect.stringMatching(/^127\.0\.0\.1:\d+$/),
      exported_job: 'page',
      exported_instance: 'elsewhere',
    });
    expect(toLabels(agent.find('level')[0]!)).toMatchObject({ job: 'text', instance: toLabels(owned!)['instance'] });
  });

  test('stale_marker: a series that is gone from the page ends with it, bit for bit', () => {
    expect(agent.hasSent(toWire('7ff0000000000002'))).toBe(true);
  });

  test('nan_encoding: as Prometheus writes it, bit for bit', () => {
    expect(agent.readValue('special', { kind: 'nan' })).toBeNaN();
    expect(agent.hasSent(toWire('7ff8000000000001'))).toBe(true);
  });

  test.each([
    ['positive_infinity_encoding', 'inf', Infinity],
    ['negative_infinity_encoding', 'ninf', -Infinity],
    ['zero_value_encoding', 'zero', 0],
    ['zero_value_encoding of −0', 'nzero', -0],
    ['negative_value_encoding', 'negative', -123.45],
  ])('%s', (_, kind, value) => {
    expect(agent.readValue('special', { kind })).toBe(value);
  });

  test('special_float_combinations: each kind arrives', () => {
    const kinds = agent.find('special').map((series) => toLabels(series)['kind']);
    expect(new Set(kinds)).toEqual(new Set(['nan', 'inf', 'ninf', 'zero', 'nzero', 'negative']));
  });

  test.each([
    ['counter', 'opened_total', 'opened_total'],
    ['gauge', 'level', 'level'],
    ['histogram', 'wait', 'wait_count'],
    ['summary', 'call', 'call_count'],
  ] as const)('metadata_type_%s', (type, family, series) => {
    // 1.0 has the metadata of a metric, 2.0 that of a series.
    const name = own === 1 ? family : series;
    expect(agent.metadata).toContainEqual([name, TYPES[type], expect.any(String), '']);
  });

  test('metadata_help_text, metadata_unit', () => {
    expect(agent.metadata).toContainEqual(['opened_total', TYPES.counter, 'Doors that were opened.', '']);
    expect(agent.metadata).toContainEqual(['tank_litres', TYPES.gauge, '', 'litres']);
  });

  test('mixed_sample_and_histogram_families: counter, gauge, histogram and summary have their values', () => {
    const values = ['opened_total', 'level', 'wait_sum', 'wait_count', 'call_sum', 'call_count'].map((name) => [
      name,
      agent.readValue(name),
    ]);
    expect(values).toEqual([
      ['opened_total', 100],
      ['level', 22.5],
      ['wait_sum', 10.5],
      ['wait_count', 100],
      ['call_sum', 50],
      ['call_count', 1000],
    ]);
    expect(agent.readValue('wait_bucket', { le: '0.1' })).toBe(50);
    expect(agent.readValue('call', { quantile: '0.5' })).toBe(0.05);
  });

  test('start_timestamp_for_counters, start_timestamp_for_histograms, rw1_no_start_timestamp: 2.0 has them, 1.0 has none', () => {
    const startMs = own === 2 ? CREATED_SECONDS * 1000 : 0;
    for (const metric of ['pumped_total', 'delay_bucket', 'delay_count', 'delay_sum'])
      expect([metric, agent.find(metric)[0]!.starts[0]]).toEqual([metric, startMs]);
  });

  test('start_timestamp_zero_handling: it is 0 where the page says none', () => {
    const starts = ['unsaid_total', 'pumped_created', 'tank_litres', 'opened_total', 'up'].flatMap((metric) =>
      agent.find(metric).flatMap((series) => series.starts),
    );
    expect(new Set(starts)).toEqual(new Set([0]));
  });

  test('start_timestamp_before_sample_timestamp', () => {
    for (const { samples, starts } of agent.receiver.writes.flatMap(({ series }) => series))
      samples.forEach(([timestampMs], index) => expect(starts[index]).toBeLessThanOrEqual(timestampMs));
  });

  test('huge_label_values: a value of 10 KB arrives whole', () => {
    expect(toLabels(agent.find('long')[0]!)['path']).toBe(LONG_VALUE);
  });

  test('samples_with_exemplars, exemplar_on_histogram: their samples are sent, the exemplars are not', () => {
    expect([agent.readValue('pumped_total'), agent.readValue('delay_bucket')]).toEqual([100, 100]);
    expect(agent.hasSent(Buffer.from('trace_id'))).toBe(false);
  });

  test('batch_size_reasonable: 12,000 series of one target arrive, in requests of 10,000 series at most', () => {
    const places = new Set(agent.find('many').map((series) => toLabels(series)['of']));
    expect(places.size).toBe(MANY_SERIES);
    expect(Math.max(...agent.receiver.writes.map(({ series }) => series.length))).toBeLessThanOrEqual(10_000);
  });
});
