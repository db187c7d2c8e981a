// Longer than a test should be: each limit of the receivers is a case, in both generations.
/** What a real VictoriaMetrics loses of a series and answers 204 to, and that the collector refuses all of it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { toExportedLabels, toJsonLine, toMetricObject } from '@thugshells/shared/metrics/json-lines.ts';
import { toValueType, type Labels, type Sample } from '@thugshells/shared/metrics/sample.ts';
import { findSampleRefusal } from '@thugshells/shared/metrics/sample-refusals.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';
import fc from 'fast-check';

import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

let server: VictoriaMetrics;
/** Whether the server is of the generation that drops long series (1.151.0), not the one that cuts them (1.79.5). */
let isCurrent: boolean;

beforeAll(async () => {
  server = await startVictoriaMetrics();
  // Each counts what it drops or cuts, from its start on, under a name of its own.
  isCurrent = (await server.metric('vm_rows_ignored_total{reason="too_long_label_name"}')) !== undefined;
}, 60_000);

afterAll(() => server.stop(), 60_000);

const now = Date.now() - 60_000;
let probes = 0;

async function post(body: string): Promise<void> {
  const response = await fetch(`${server.url}/api/v1/import`, { method: 'POST', body });
  expect([response.status, await response.text()]).toEqual([204, '']);
}

/** A series in one text; receivers take an empty label for none. */
function textOf(labels: Iterable<readonly [string, string]>): string {
  return JSON.stringify([...labels].filter(([, value]) => value !== '').sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sampleOf(
  name: string,
  tags: Labels,
  { deviceId = 'b1', value = 1 }: { deviceId?: string; value?: number | string } = {},
): Sample {
  const declaration = declareForeignSeries(name, 'gauge');
  return { name, deviceId, tags, value, valueType: toValueType(value), priority: 1, canonical: '', declaration };
}

function isRefused(sample: Sample): boolean {
  return findSampleRefusal(sample, 'victoriametrics') !== undefined;
}

/** What becomes of a series. */
type Fate = 'stored' | 'changed' | 'dropped';

async function fateOf(metric: Labels): Promise<{ readonly fate: Fate; readonly found?: unknown }> {
  const probe = String(++probes);
  await post(toJsonLine(JSON.stringify({ probe, ...metric }), '1', String(now)));
  const [found] = await server.export(`{probe="${probe}"}`);
  if (found === undefined) return { fate: 'dropped' };
  const isWhole = textOf(Object.entries(found.metric)) === textOf(Object.entries({ probe, ...metric }));
  return { fate: isWhole ? 'stored' : 'changed', found };
}

/** Labels beside `__name__` and the probe, so that there are as many as this in all. */
function labels(count: number): Labels {
  return Object.fromEntries(Array.from({ length: count - 2 }, (_, index) => [`l${index}`, 'x']));
}

/** Labels whose values have so many bytes together, each less than 4 KiB. */
function values(bytes: number, unit = 'x'): Labels {
  const parts = Array.from({ length: 17 }, (_, index) => [
    `l${index}`,
    unit.repeat(Math.floor((bytes * (index + 1)) / 17) - Math.floor((bytes * index) / 17)),
  ]);
  return Object.fromEntries(parts) as Labels;
}

/** A case, and what becomes of it in 1.79.5 and in 1.151.0. */
const table: readonly (readonly [what: string, metric: Labels, old: Fate, current: Fate])[] = [
  ...[1, 255, 256].map(
    (bytes) => [`a label name of ${bytes} bytes`, { ['x'.repeat(bytes)]: 'v' }, 'stored', 'stored'] as const,
  ),
  ['a label name of 257 bytes', { ['x'.repeat(257)]: 'v' }, 'changed', 'dropped'],
  ['a label name of 128 characters of 2 bytes', { ['é'.repeat(128)]: 'v' }, 'stored', 'stored'],
  ['a label name of 129 characters of 2 bytes', { ['é'.repeat(129)]: 'v' }, 'changed', 'dropped'],
  ['a label value of 4,095 bytes', { l: 'x'.repeat(4_095) }, 'stored', 'stored'],
  ['a label value of 4,096 bytes', { l: 'x'.repeat(4_096) }, 'stored', 'stored'],
  ['a label value of 4,097 bytes', { l: 'x'.repeat(4_097) }, 'stored', 'dropped'],
  ['a label value of 2,048 characters of 2 bytes', { l: 'é'.repeat(2_048) }, 'stored', 'stored'],
  ['a label value of 2,049 characters of 2 bytes', { l: 'é'.repeat(2_049) }, 'stored', 'dropped'],
  ['a label value of 16,385 bytes', { l: 'x'.repeat(16_385) }, 'changed', 'dropped'],
  ...[255, 256, 257, 4_095, 4_096].map(
    (bytes) => [`a metric name of ${bytes} bytes`, { __name__: 'x'.repeat(bytes) }, 'stored', 'stored'] as const,
  ),
  ['a metric name of 4,097 bytes', { __name__: 'x'.repeat(4_097) }, 'stored', 'dropped'],
  ['a metric name of 2,049 characters of 2 bytes', { __name__: 'é'.repeat(2_049) }, 'stored', 'dropped'],
  ['30 labels', labels(30), 'stored', 'stored'],
  ['31 labels', labels(31), 'changed', 'stored'],
  ['40 labels', labels(40), 'changed', 'stored'],
  ['41 labels', labels(41), 'changed', 'dropped'],
  ['labels of 31,000 bytes', values(31_000), 'stored', 'stored'],
  ['labels of 66,000 bytes', values(66_000), 'dropped', 'dropped'],
  ['labels of 15,500 characters that the index escapes', values(15_500, '\u0001'), 'stored', 'stored'],
  ['labels of 33,000 characters that the index escapes', values(33_000, '\u0001'), 'dropped', 'dropped'],
  ['an empty label name', { '': 'v' }, 'changed', 'changed'],
  ...[
    'a.b',
    'a b',
    'größe',
    '温度',
    '😀',
    '1a',
    'a-b',
    '"',
    '\\',
    '\n',
    '\u0000',
    '\u0002',
    ' ',
    '{',
    '__graphite__',
    '__proto__',
  ].flatMap((text) => [
    [`a metric name ${JSON.stringify(text)}`, { __name__: text }, 'stored', 'stored'] as const,
    [`a label name ${JSON.stringify(text)}`, Object.fromEntries([[text, 'v']]), 'stored', 'stored'] as const,
    [`a label value ${JSON.stringify(text)}`, { l: text }, 'stored', 'stored'] as const,
  ]),
];

describe('VictoriaMetrics answers 204', () => {
  test.each(table)(
    'to %s, and what either generation does not store whole is refused',
    async (_, metric, old, current) => {
      const whole = { __name__: 'a', ...metric };
      // What was found shows in a failure.
      expect(await fateOf(whole)).toMatchObject({ fate: isCurrent ? current : old });
      const { __name__: name, ...tags } = whole;
      // The probe stands for device_id: one label of few bytes.
      expect(isRefused(sampleOf(name, tags))).toBe(old !== 'stored' || current !== 'stored');
    },
  );

  test('to two series that are one in an empty label, or in what is cut off, and keeps less than two', async () => {
    const long = 'x'.repeat(256);
    const pairs: readonly (readonly [Labels, Labels])[] = [
      [{ l: '' }, {}],
      [{ [`${long}a`]: 'v' }, { [`${long}b`]: 'v' }],
    ];
    for (const pair of pairs) {
      const probe = String(++probes);
      await post(
        pair
          .map((each, index) => toJsonLine(JSON.stringify({ __name__: 'a', probe, ...each }), '1', String(now + index)))
          .join(''),
      );
      expect((await server.export(`{probe="${probe}"}`)).length).toBeLessThan(2);
    }
  });

  test('to a series without a name, which the collector refuses, and stores it without one', async () => {
    expect(await fateOf({ __name__: '' })).toMatchObject({ fate: 'stored' });
    expect(isRefused(sampleOf('', {}))).toBe(true);
  });
});

/** Texts of about so many bytes, of characters of one to four bytes and of those that the index escapes. */
const longText = (bytes: number, most = 2) =>
  fc
    .tuple(fc.constantFrom('x', 'é', '€', '😀', '\u0001', '"'), fc.integer({ min: -6, max: most }))
    .map(([unit, more]) => {
      const count = Math.floor((bytes + more) / Buffer.byteLength(unit));
      return unit.repeat(count) + 'x'.repeat(bytes + more - count * Buffer.byteLength(unit));
    });
const shortText = fc.string({ unit: 'binary', maxLength: 12 });
const dictionary = (name: fc.Arbitrary<string>, value: fc.Arbitrary<string>, minKeys: number, maxKeys: number) =>
  fc.dictionary(name, value, { minKeys, maxKeys, size: 'max', noNullPrototype: true });
/** Few labels around the limits of each, many short ones around that of their number, or large ones around that of all. */
const anyTags = fc.oneof(
  dictionary(fc.oneof(shortText, longText(256)), fc.oneof(shortText, longText(4_096)), 0, 3),
  dictionary(shortText, shortText, 24, 30),
  dictionary(fc.string({ minLength: 2, maxLength: 4 }), longText(3_900, 200), 5, 18),
);
const anySample = fc
  .record({
    name: fc.oneof({ weight: 4, arbitrary: shortText }, longText(4_096), longText(4_091)),
    tags: anyTags,
    value: fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e300, max: 1e300 }),
      shortText,
      longText(4_096),
    ),
  })
  .map(({ name, tags, value }) => sampleOf(name, tags, { value }));

test('any sample that the collector does not refuse is stored whole by VictoriaMetrics', async () => {
  let stored = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(anySample, { minLength: 1, maxLength: 20, size: 'max' }), async (samples) => {
      // The device tells a run's samples apart. It is as long in each, so that all are measured alike.
      const named = samples.map((sample) => ({ ...sample, deviceId: `device-${String(++probes).padStart(8, '0')}` }));
      const kept = named.filter((sample) => !isRefused(sample));
      refused += named.length - kept.length;
      stored += kept.length;
      if (kept.length === 0) return;
      const textIn = ({ value }: Sample) => (typeof value === 'string' ? value : undefined);
      await post(
        kept
          .map((sample) =>
            toJsonLine(
              toMetricObject(sample, textIn(sample)),
              textIn(sample) === undefined ? String(sample.value) : '1',
              String(now),
            ),
          )
          .join(''),
      );
      const found = await server.export(`{device_id=~"${kept.map(({ deviceId }) => deviceId).join('|')}"}`);
      const expected = kept.map((sample) => textOf(toExportedLabels(sample, textIn(sample))));
      expect(found.map(({ metric }) => textOf(Object.entries(metric))).sort()).toEqual(expected.sort());
      expect(found.every(({ timestamps }) => timestamps.length === 1 && timestamps[0] === now)).toBe(true);
    }),
    { numRuns: 80, endOnFailure: true },
  );
  // Both sides of the limits have been looked at.
  expect(Math.min(stored, refused)).toBeGreaterThan(100);
}, 120_000);

test('agent: a text file’s label of 257 bytes is refused, counted and named in health, and the rest of the file is delivered', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'series-limits-'));
  writeFileSync(join(folder, 'long.prom'), `kept{${'k'.repeat(256)}="x"} 1\nlost{${'l'.repeat(257)}="x"} 1\n`);
  const agent = new AgentPair({
    REMOTE_URL: `${server.url}/api/v1/import`,
    COLLECTORS: 'textfile',
    TEXTFILE_DIR: folder,
  });
  try {
    agent.start('collector');
    const endpoint = await endpointOf(agent.start('uploader'));
    const named = await until('health names the label', async () => {
      const { report } = await healthAt(endpoint);
      const component = report.components['collector.textfile'];
      return component?.status === 'degraded' && Number(component.details['failed']) > 1 ? component : undefined;
    });
    expect(named.message).toBe(
      `lost: label name "${'l'.repeat(80)}…" has 257 bytes, VictoriaMetrics drops more than 256: shorten it at the source; run: journalctl -u thugshells-collector`,
    );
    const delivered = await until('the rest is delivered', async () => (await server.export('kept'))[0]);
    expect(delivered.metric).toEqual({ __name__: 'kept', ['k'.repeat(256)]: 'x', device_id: 'board-1' });
    expect(await server.export('lost')).toEqual([]);
    expect(readBooks(agent.database)).toMatchObject({ rejected: 0, dropped: 0 });
  } finally {
    await agent.remove();
    rmSync(folder, { recursive: true });
  }
}, 60_000);

test('collector: reads REMOTE_PROTOCOL, and by remote write stores a label of 257 bytes, about which the receiver decides', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'series-limits-'));
  writeFileSync(join(folder, 'long.prom'), `lost{${'l'.repeat(257)}="x"} 1\n`);
  const environment = { THUGSHELLS_COLLECTORS: 'textfile', THUGSHELLS_TEXTFILE_DIR: folder };
  try {
    const [refused, stored] = await Promise.all(
      ['victoriametrics', 'remote-write'].map((protocol) =>
        runToEnd('collector', { ...environment, THUGSHELLS_REMOTE_PROTOCOL: protocol }, ['once']),
      ),
    );
    expect([
      refused!.code === 0,
      refused!.stderr.includes('has 257 bytes'),
      refused!.stdout.includes('"lost"'),
    ]).toEqual([false, true, false]);
    expect([stored!.code, stored!.stderr, stored!.stdout.includes('"lost"')]).toEqual([0, '', true]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
