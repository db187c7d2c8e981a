import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  formatValue,
  readStoredValue,
  STALE_MARKER,
  toSpecialBytes,
  toStoredValue,
  type SampleValue,
} from '../../../../shared/src/metrics/sample-value.ts';
import { openDatabase } from '../../../../shared/src/database/open.ts';

const specials: readonly SampleValue[] = [NaN, STALE_MARKER, -0];
const ordinary: readonly SampleValue[] = [0, 1, -3, 1.5, Infinity, 'text'];

function store(value: SampleValue): { readonly stored: unknown; readonly type: unknown } {
  const database = openDatabase(':memory:');
  try {
    database.exec('CREATE TABLE samples (value)');
    database.prepare('INSERT INTO samples VALUES (?)').run(toStoredValue(value));
    return database.prepare('SELECT value AS stored, typeof(value) AS type FROM samples').get() as ReturnType<
      typeof store
    >;
  } finally {
    database.close();
  }
}

test('sample values: every number and text reads back from SQLite as it was, the sign of zero and NaN included', () => {
  const value = fc.oneof(fc.double(), fc.integer(), fc.string(), fc.constantFrom(NaN, -0, 2 ** 53, STALE_MARKER));
  fc.assert(
    fc.property(value, (each: SampleValue) => {
      expect(Object.is(readStoredValue(store(each).stored), each)).toBe(true);
    }),
    { numRuns: 200 },
  );
});

test('sample values: ordinary ones are numbers and texts in the database, an integer in as few bytes as it needs', () => {
  expect(ordinary.map((value) => store(value).type)).toEqual(['integer', 'integer', 'integer', 'real', 'real', 'text']);
  expect(ordinary.map(toSpecialBytes)).toEqual(ordinary.map(() => undefined));
});

test('sample values: NaN, the stale marker and −0 are the eight bytes that Prometheus has for them', () => {
  const hex = (value: SampleValue): string => Buffer.from(store(value).stored as Buffer).toString('hex');
  expect(specials.map(hex)).toEqual(['7ff8000000000001', '7ff0000000000002', '8000000000000000']);
});

test('sample values: bytes of which one bit differs, other types and NULL are no value', () => {
  for (const special of specials) {
    for (let bit = 0; bit < 64; bit++) {
      const bytes = Buffer.from(toSpecialBytes(special)!);
      bytes[bit >> 3]! ^= 1 << (bit & 7);
      expect(readStoredValue(bytes)).toBeUndefined();
    }
  }
  expect([null, undefined, Buffer.alloc(0), Buffer.alloc(9), 5n, {}].map(readStoredValue)).toEqual(
    Array(6).fill(undefined),
  );
});

test('sample values: are printed as Prometheus prints them', () => {
  expect([...specials, ...ordinary].map(formatValue)).toEqual([
    'NaN',
    'StaleNaN',
    '-0',
    '0',
    '1',
    '-3',
    '1.5',
    'Infinity',
    'text',
  ]);
});
