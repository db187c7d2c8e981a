// Longer than a test should be: each assumption about the receiver is a row, for both generations.
/**
 * What the uploader assumes of VictoriaMetrics, asked of a real one, and of the receiver that stands in for it. Where
 * Debian's of 2022 and that of today differ, the table has a column for each; the receiver behaves as that of today.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { seriesOf } from '../receiver/src/import-lines.ts';
import { startReceiver, type Receiver } from '../receiver/src/server.ts';
import { expectedOf, findGeneration, type PerGeneration } from '../support/generation.ts';
import { startVictoriaMetrics, type ExportedSeries, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const secondMs = 1_000;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A full second, so that it reads the same in seconds. */
const now = Math.floor(Date.now() / secondMs) * secondMs - 60 * secondMs;

const gzipped = { 'Content-Encoding': 'gzip' };
const generation = await findGeneration();

let real: VictoriaMetrics;
let receiver: Receiver;

beforeAll(async () => {
  [real, receiver] = await Promise.all([startVictoriaMetrics(), startReceiver()]);
}, 60_000);

afterAll(() => Promise.all([real.stop(), receiver.stop()]), 60_000);

async function post(url: string, body: Buffer, headers: Record<string, string> = {}): Promise<number> {
  const response = await fetch(`${url}/api/v1/import`, { method: 'POST', body: new Uint8Array(body), headers });
  const text = await response.text();
  if (response.status === 204) expect(text).toBe('');
  return response.status;
}

/** The receiver's rows as an export of the real one has them. */
async function exportOfReceiver(match: string): Promise<ExportedSeries[]> {
  const response = await fetch(`${receiver.url}/api/v1/export?match[]=${encodeURIComponent(match)}`);
  const text = (await response.text()).replaceAll('"Infinity"', '1e999');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as ExportedSeries);
}

/** Series in an order of their own: neither side promises one. */
function sorted(all: readonly ExportedSeries[]): [string, readonly number[], readonly number[]][] {
  const entries = all.map(({ metric, values, timestamps }) => [seriesOf(metric), values, timestamps] as const);
  return entries.sort(([a], [b]) => (a < b ? -1 : 1)).map((entry) => [...entry]);
}

function samplesIn(all: readonly ExportedSeries[]): number {
  return all.reduce((sum, { values }) => sum + values.length, 0);
}

/** Makes lines of JSON whose series belong to one case of a table. */
class Lines {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
  line(record: { labels?: object; values?: unknown; timestamps?: unknown } = {}): string {
    const metric = { __name__: this.name, ...record.labels };
    return `${JSON.stringify({ metric, values: record.values ?? [1], timestamps: record.timestamps ?? [now] })}\n`;
  }
  /** A line between two sound ones, of series a and c with one sample each. */
  amidSound(line: string): Buffer {
    return Buffer.from(this.line({ labels: { place: 'a' } }) + line + this.line({ labels: { place: 'c' } }));
  }
  around(record: Parameters<Lines['line']>[0]): Buffer {
    return this.amidSound(this.line(record));
  }
}

interface Case {
  readonly what: string;
  readonly body: (lines: Lines) => Buffer;
  readonly headers?: Record<string, string>;
  readonly status?: PerGeneration<number>;
  /** Samples stored, of all that were sent. */
  readonly stored: PerGeneration<number>;
  /** Labels of the series that has most of them. */
  readonly kept?: PerGeneration<number>;
}

/** So many labels besides the name. */
const labels = (count: number): Record<string, string> =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${99 - index}`, 'x']));

const twoTimes = [now, now + 1];

const cases: readonly Case[] = [
  { what: 'stores plain lines', body: (lines) => lines.around({}), stored: 3 },
  { what: 'stores gzip', body: (lines) => gzipSync(lines.around({})), headers: gzipped, stored: 3 },
  {
    what: 'stores several samples a line, in any order of time',
    body: (lines) => lines.around({ values: [2, 3, 1], timestamps: [now, now + 1, now - dayMs] }),
    stored: 5,
  },
  {
    what: 'takes CRLF, a blank line, an unknown key, and no newline at the end',
    body: (lines) => {
      const extra = lines
        .line({ labels: { place: 'b' } })
        .replace('{', '{"extra":1,')
        .trim();
      return Buffer.from(`${lines.line().trim()}\r\n\r\n${extra}`);
    },
    stored: 2,
  },
  { what: 'takes an empty body', body: () => Buffer.alloc(0), stored: 0 },
  { what: 'takes gzip of nothing', body: () => gzipSync(''), headers: gzipped, stored: 0 },
  {
    what: 'loses a malformed line and says nothing',
    body: (lines) => lines.amidSound('{"metric":{"__na\n'),
    stored: 2,
  },
  {
    what: 'loses a value that is null, and 1.79 its whole line',
    body: (lines) => lines.around({ values: [1, null], timestamps: twoTimes }),
    stored: { debian: 2, current: 3 },
  },
  {
    what: 'loses a value "NaN", and 1.79 its whole line',
    body: (lines) => lines.around({ values: [1, 'NaN'], timestamps: twoTimes }),
    stored: { debian: 2, current: 3 },
  },
  {
    what: 'stores "Infinity", for which 1.79 loses the line',
    body: (lines) => lines.around({ values: ['Infinity'] }),
    stored: { debian: 2, current: 3 },
  },
  {
    what: 'loses a whole line for true',
    body: (lines) => lines.around({ values: [1, true], timestamps: twoTimes }),
    stored: 2,
  },
  { what: 'loses a line with fewer times than values', body: (lines) => lines.around({ values: [1, 2] }), stored: 2 },
  { what: 'loses a line without values', body: (lines) => lines.around({ values: [], timestamps: [] }), stored: 2 },
  {
    what: 'stores 1e999 as infinity',
    body: (lines) => lines.amidSound(lines.line().replace('[1]', '[1e999]')),
    stored: 3,
  },
  { what: 'loses the sign of -0', body: (lines) => lines.amidSound(lines.line().replace('[1]', '[-0]')), stored: 3 },
  {
    what: 'loses a line with a fractional time',
    body: (lines) => lines.around({ timestamps: [now + 0.5] }),
    stored: 2,
  },
  {
    what: 'loses a line with a time as a string',
    body: (lines) => lines.around({ timestamps: [`${now}`] }),
    stored: 2,
  },
  {
    what: 'loses seconds, zero and negative times, and those only',
    body: (lines) => lines.around({ values: [1, 2, 3, 4], timestamps: [now / secondMs, 0, -5, now] }),
    stored: 3,
  },
  {
    what: 'loses what is older than the retention',
    body: (lines) => lines.around({ values: [1, 2], timestamps: [now - 11 * 365 * dayMs, now - 9 * 365 * dayMs] }),
    stored: 3,
  },
  {
    what: 'stores an hour and a day ahead, and loses three days ahead',
    body: (lines) => lines.around({ values: [1, 2, 3], timestamps: [now + hourMs, now + dayMs, now + 3 * dayMs] }),
    stored: 4,
  },
  {
    what: 'loses labels that are numbers or null, so that series merge',
    body: (lines) => lines.around({ labels: { port: 80, gone: null, empty: '', kept: 'x' } }),
    stored: 3,
  },
  {
    what: 'stores a label value of 4,096 bytes',
    body: (lines) => lines.around({ labels: { long: 'é'.repeat(2_048) } }),
    stored: 3,
  },
  {
    what: 'drops a series with a label value of 4,097 bytes, which 1.79 stores',
    body: (lines) => lines.around({ labels: { long: `${'é'.repeat(2_048)}x` } }),
    stored: { debian: 3, current: 2 },
  },
  {
    what: 'drops a series with a label value of 20 KB, which 1.79 cuts to 16,384 bytes',
    body: (lines) => lines.around({ labels: { long: 'é'.repeat(10_000) } }),
    stored: { debian: 3, current: 2 },
  },
  {
    what: 'stores a label name of 256 bytes',
    body: (lines) => lines.around({ labels: { ['n'.repeat(256)]: 'x' } }),
    stored: 3,
  },
  {
    what: 'drops a series with a label name of 257 bytes, which 1.79 cuts',
    body: (lines) => lines.around({ labels: { ['n'.repeat(257)]: 'x' } }),
    stored: { debian: 3, current: 2 },
  },
  { what: 'stores 30 labels with the name', body: (lines) => lines.around({ labels: labels(29) }), stored: 3 },
  {
    what: 'stores 40 labels with the name, of which 1.79 keeps 30',
    body: (lines) => lines.around({ labels: labels(39) }),
    stored: 3,
    kept: { debian: 30, current: 40 },
  },
  {
    what: 'drops a series with 41 labels, of which 1.79 keeps 30',
    body: (lines) => lines.around({ labels: labels(40) }),
    stored: { debian: 3, current: 2 },
  },
  {
    what: 'keeps any character of a name and a label',
    body: (lines) => lines.around({ labels: { 'a.b-c d': 'quote " backslash \\ newline \n and é' } }),
    stored: 3,
  },
  { what: 'stores nothing of gzip that is not called gzip', body: (lines) => gzipSync(lines.around({})), stored: 0 },
  {
    what: 'stores zstd, of which 1.79 stores nothing and says nothing',
    body: (lines) => zstdCompressSync(lines.around({})),
    headers: { 'Content-Encoding': 'zstd' },
    stored: { debian: 0, current: 3 },
  },
  {
    what: 'refuses plain text that is called zstd, and 1.79 stores it',
    body: (lines) => lines.around({}),
    headers: { 'Content-Encoding': 'zstd' },
    status: { debian: 204, current: 400 },
    stored: { debian: 3, current: 0 },
  },
  {
    what: 'refuses plain text that is called gzip',
    body: (lines) => lines.around({}),
    headers: gzipped,
    status: 400,
    stored: 0,
  },
  {
    what: 'stores two members of gzip',
    body: (lines) => Buffer.concat([gzipSync(lines.around({})), gzipSync(lines.line({ labels: { member: '2' } }))]),
    headers: gzipped,
    stored: 4,
  },
  {
    what: 'loses the line that two members of gzip make without a newline between them',
    body: (lines) => Buffer.concat([gzipSync(lines.line().trim()), gzipSync(lines.around({}))]),
    headers: gzipped,
    stored: 2,
  },
];

describe('an import', () => {
  test.each(cases.map((entry, index) => ({ ...entry, index })))('$what', async (entry) => {
    const lines = new Lines(`case_${entry.index}`);
    const body = entry.body(lines);
    const statuses = await Promise.all([real, receiver].map(({ url }) => post(url, body, entry.headers)));
    const { status = 204 } = entry;
    expect(statuses).toEqual([expectedOf(status, generation), expectedOf(status, 'current')]);

    const match = `{__name__="${lines.name}"}`;
    const stored = await real.export(match);
    expect(samplesIn(stored)).toBe(expectedOf(entry.stored, generation));
    const most = Math.max(0, ...stored.map(({ metric }) => Object.keys(metric).length));
    if (entry.kept !== undefined) expect(most).toBe(expectedOf(entry.kept, generation));
    const storedByReceiver = await exportOfReceiver(match);
    expect(samplesIn(storedByReceiver)).toBe(expectedOf(entry.stored, 'current'));
    const differs = [entry.status, entry.stored, entry.kept].some((expected) => typeof expected === 'object');
    if (generation === 'current' || !differs) expect(sorted(storedByReceiver)).toEqual(sorted(stored));
  });

  test('that comes twice is stored once by both', async () => {
    const lines = new Lines('twice');
    const body = lines.around({ values: [5, 1, 5], timestamps: [now, now - 1, now - 2] });
    for (const { url } of [real, receiver, real, receiver]) expect(await post(url, body)).toBe(204);
    const stored = await real.export('twice');
    expect(samplesIn(stored)).toBe(5);
    expect(sorted(await exportOfReceiver('twice'))).toEqual(sorted(stored));
    expect(receiver.duplicates()).toBe(5);
  });

  test('of gzip that is cut short is answered with 204, by 1.79 with 400, and its beginning is stored', async () => {
    const lines = new Lines('cut_short');
    const all = Array.from({ length: 20_000 }, (_, index) => lines.line({ labels: { index: `${index * 7919}` } }));
    const whole = gzipSync(all.join(''));
    const half = whole.subarray(0, whole.length / 2);
    expect(await post(real.url, half, gzipped)).toBe(generation === 'debian' ? 400 : 204);
    expect(await post(receiver.url, half, gzipped)).toBe(204);
    for (const stored of [await real.export('cut_short'), await exportOfReceiver('cut_short')]) {
      expect(samplesIn(stored)).toBeGreaterThan(1_000);
      expect(samplesIn(stored)).toBeLessThan(all.length);
    }
  });

  test('of gzip with a wrong checksum is answered with 400', async () => {
    const damaged = gzipSync(new Lines('wrong_checksum').around({}));
    damaged.writeUInt32LE(damaged.readUInt32LE(damaged.length - 8) + 1, damaged.length - 8);
    expect(() => gunzipSync(damaged)).toThrow();
    for (const { url } of [real, receiver]) expect(await post(url, damaged, gzipped)).toBe(400);
  });
});

test('lines and samples that were lost are counted, and nowhere else to be seen', async () => {
  const invalid = 'vm_rows_invalid_total{type="vmimport"}';
  const tooOld = 'vm_rows_ignored_total{reason="small_timestamp"}';
  const tooNew = 'vm_rows_ignored_total{reason="big_timestamp"}';
  const before = await Promise.all([invalid, tooOld, tooNew].map((name) => real.metric(name)));
  const lines = new Lines('counted');
  const times = [now / secondMs, now + 3 * dayMs];
  expect(await post(real.url, Buffer.from(`oops\n${lines.line({ values: [1, 2], timestamps: times })}`))).toBe(204);
  await real.untilMetric(invalid, (before[0] ?? 0) + 1);
  await real.untilMetric(tooOld, (before[1] ?? 0) + 1);
  await real.untilMetric(tooNew, (before[2] ?? 0) + 1);
});

test('the health address has a Date, and /flags says whether there is deduplication', async () => {
  for (const { url } of [real, receiver]) {
    const health = await fetch(`${url}/health`, { method: 'HEAD' });
    expect(health.status).toBe(200);
    expect(Math.abs(Date.parse(health.headers.get('date') ?? '') - Date.now())).toBeLessThan(10 * secondMs);
    expect(await (await fetch(`${url}/flags`)).text()).toContain('-dedup.minScrapeInterval="1ms"\n');
  }
});

test('without deduplication a body that comes twice is stored twice', async () => {
  const plain = await startVictoriaMetrics({ flags: ['-dedup.minScrapeInterval=0s'] });
  try {
    const body = new Lines('replayed').around({});
    for (const url of [plain.url, plain.url]) expect(await post(url, body)).toBe(204);
    expect(samplesIn(await plain.export('replayed'))).toBe(6);
  } finally {
    await plain.stop();
  }
}, 60_000);

test('204 is no promise: SIGKILL right after it loses the samples, an orderly end keeps them', async () => {
  const server = await startVictoriaMetrics();
  try {
    const body = new Lines('durable').around({});
    expect(await post(server.url, body)).toBe(204);
    await server.kill('SIGKILL');
    await server.restart();
    expect(await server.export('durable')).toEqual([]);
    expect(await post(server.url, body)).toBe(204);
    await server.restart();
    expect(samplesIn(await server.export('durable'))).toBe(3);
  } finally {
    await server.stop();
  }
}, 60_000);
