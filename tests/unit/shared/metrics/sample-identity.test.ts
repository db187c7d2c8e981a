import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  AddedLabels,
  canonicalTags,
  dedupKey,
  toSample,
  seriesKey,
  toValueType,
  type Labels,
  type SeriesIdentity,
} from '../../../../shared/src/metrics/sample.ts';
import { parseJson } from '../../../../shared/src/state/stored-values.ts';
import { declareSeries } from '../../../../shared/src/metrics/series.ts';

/** Few letters and every delimiter that an encoding might use: what collides, collides soon. */
const tricky = fc.string({
  unit: fc.constantFrom('a', 'b', '=', ',', ':', '"', '\\', '{', '}', '[', ']', '\u0000', ' ', 'é', 'e\u0301'),
  maxLength: 5,
});
const labels = fc.array(fc.tuple(tricky, tricky), { maxLength: 4 }).map((pairs): Labels => Object.fromEntries(pairs));
const identity: fc.Arbitrary<SeriesIdentity & { timestampMs: number }> = fc.record({
  name: tricky,
  deviceId: tricky,
  tags: labels,
  valueType: fc.constantFrom(0 as const, 1 as const),
  timestampMs: fc.integer({ min: 1, max: 12 }),
});

function keyOf({ name, deviceId, tags, valueType }: SeriesIdentity): string {
  return seriesKey(name, deviceId, canonicalTags(tags), valueType).toString('hex');
}

function same(a: unknown, b: unknown): boolean {
  try {
    expect(a).toEqual(b);
    return true;
  } catch {
    return false;
  }
}

const base = {
  name: 'cpu.usage',
  deviceId: 'belabox-001',
  tags: { core: '0' },
  valueType: 0,
  timestampMs: 1_700_000_000_000,
} as const;

describe('canonical tags', () => {
  test('do not depend on the order in which the labels were given', () => {
    const shuffled = labels.chain((tags) =>
      fc.tuple(fc.constant(tags), fc.shuffledSubarray(Object.entries(tags), { minLength: Object.keys(tags).length })),
    );
    fc.assert(
      fc.property(shuffled, ([tags, entries]) => {
        expect(canonicalTags(Object.fromEntries(entries))).toBe(canonicalTags(tags));
      }),
    );
  });

  test('are JSON that reads back as the same labels', () => {
    fc.assert(fc.property(labels, (tags) => expect(parseJson(canonicalTags(tags))).toEqual(tags)));
  });

  test('read back names with escapes after one that ends with a backslash', () => {
    for (const begin of ['', 'a', '__proto__', 'é']) {
      for (const end of ['\\', '\n', '"', '\u0001', '\\n', '\\"', '\ud800', '']) {
        const tags = Object.fromEntries([
          ['other', ',"x\\n":'],
          [`${begin}${end}`, `{"${end}":`],
        ]);
        expect(parseJson(canonicalTags(tags))).toEqual(tags);
        expect(parseJson(JSON.stringify({ nested: [tags], 'name 0': 1 }))).toEqual({ nested: [tags], 'name 0': 1 });
      }
    }
  });

  test('of different labels are different', () => {
    fc.assert(
      fc.property(labels, labels, (a, b) => expect(canonicalTags(a) === canonicalTags(b)).toBe(same(a, b))),
      { numRuns: 2_000 },
    );
  });

  test('keep a delimiter inside a value apart from one between labels', () => {
    expect(canonicalTags({ a: 'b', c: 'd' })).not.toBe(canonicalTags({ a: 'b,c=d' }));
    expect(canonicalTags({ a: 'b', c: '' })).not.toBe(canonicalTags({ a: 'b,c' }));
    expect(canonicalTags({ a: 'b","c":"d' })).not.toBe(canonicalTags({ a: 'b', c: 'd' }));
    expect(canonicalTags({ 'a=b,c': 'd' })).not.toBe(canonicalTags({ a: 'b,c=d' }));
  });

  test('leave two spellings of one letter two values', () => {
    expect(canonicalTags({ city: 'Orl\u00e9ans' })).not.toBe(canonicalTags({ city: 'Orle\u0301ans' }));
    expect(JSON.parse(canonicalTags({ city: 'Orle\u0301ans' }))).toEqual({ city: 'Orle\u0301ans' });
  });

  test('keep labels whose names an object has by birth', () => {
    const tags = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
    ]);
    expect(canonicalTags(tags)).toBe('{"__proto__":"a","constructor":"b"}');
  });
});

describe.each([
  ['the key of a series', keyOf],
  ['the plan’s dedup key', dedupKey],
])('%s', (_name, key: (of: SeriesIdentity & { timestampMs: number }) => string) => {
  test('is 64 hexadecimal digits (A-7)', () => {
    expect(key(base)).toMatch(/^[0-9a-f]{64}$/);
  });

  test('does not depend on the order of the labels (A-6)', () => {
    expect(key({ ...base, tags: { a: '1', b: '2' } })).toBe(key({ ...base, tags: { b: '2', a: '1' } }));
  });

  test.each([
    ['name', { name: 'cpu.other' }],
    ['device', { deviceId: 'belabox-002' }],
    ['value type', { valueType: 1 as const }],
    ['label', { tags: { core: '1' } }],
    ['further label', { tags: { core: '0', mode: 'user' } }],
  ])('changes with another %s', (_what, change) => {
    expect(key({ ...base, ...change })).not.toBe(key(base));
  });

  test('is never shared by two identities, whatever delimiters their parts hold (A-8)', () => {
    fc.assert(
      fc.property(identity, identity, (a, b) => {
        const sameTime = { ...b, timestampMs: a.timestampMs };
        expect(key(a) === key(sameTime)).toBe(same(a, sameTime));
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('time and value in the keys', () => {
  test('the dedup key changes with the time, the key of the series does not', () => {
    const later = { ...base, timestampMs: base.timestampMs + 1 };
    expect(dedupKey(later)).not.toBe(dedupKey(base));
    expect(keyOf(later)).toBe(keyOf(base));
  });

  test('neither knows the value: another value at the same time is the same sample', () => {
    const withValue = { ...base, value: 7 };
    expect(dedupKey(withValue)).toBe(dedupKey(base));
  });
});

describe('a sample', () => {
  const series = declareSeries({
    name: 'cpu.usage_percent',
    kind: 'gauge',
    unit: 'percent',
    help: 'Usage.',
    priority: 3,
  });
  const context = { deviceId: 'belabox-001', labels: new AddedLabels({ always: { simulated: 'true' } }) };

  test('is a reading with its device and the labels of the device', () => {
    expect(toSample({ series, labels: { core: 'all' }, value: 12.5 }, context)).toEqual({
      name: 'cpu.usage_percent',
      deviceId: 'belabox-001',
      tags: { core: 'all', simulated: 'true' },
      canonical: '{"core":"all","simulated":"true"}',
      valueType: 0,
      value: 12.5,
      priority: 3,
      declaration: series,
    });
  });

  test.each([
    [12.5, 0],
    [0, 0],
    [NaN, 0],
    ['', 1],
    ['5.10.160', 1],
  ])('with the value %p is stored with type %p', (value, type) => {
    expect(toValueType(value)).toBe(type);
  });
});
