import { describe, expect, test } from '@jest/globals';

import { refusalOf, type Labels, type Sample } from '../../../shared/src/sample.ts';

const sound: Sample = {
  name: 'cpu.usage_percent',
  deviceId: 'belabox-001',
  tags: { core: 'all' },
  canonical: '{"core":"all"}',
  valueType: 0,
  timestampMs: 1_700_000_000_000,
  value: 12.5,
  priority: 1,
};

function refused(change: Partial<Record<keyof Sample, unknown>>): string | undefined {
  return refusalOf({ ...sound, ...change } as Sample);
}

function labelsOf(count: number): Labels {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`label_${index}`, 'x']));
}

test('a sound sample is not refused', () => {
  expect(refusalOf(sound)).toBeUndefined();
  expect(refusalOf({ ...sound, tags: {} })).toBeUndefined();
  expect(refusalOf({ ...sound, value: '5.10.160', valueType: 1 })).toBeUndefined();
});

describe('values', () => {
  test.each([0, -0, -1.5, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53])('%p is stored', (value) => {
    expect(refused({ value })).toBeUndefined();
  });

  test.each([NaN, Infinity, -Infinity])('%p is refused', (value) => {
    expect(refused({ value })).toBe(`value ${value} is not finite`);
  });

  test.each([null, undefined, true, 5n, {}, []])('%p is refused: neither number nor text', (value) => {
    expect(refused({ value })).toMatch(/^value of type /);
  });

  test('a text of 4096 bytes is stored, one of 4097 is refused, since it leaves as a label', () => {
    expect(refused({ valueType: 1, value: 'x'.repeat(4096) })).toBeUndefined();
    expect(refused({ valueType: 1, value: 'x'.repeat(4097) })).toBe('label "value" is longer than 4096 bytes');
  });
});

describe('times', () => {
  test.each([1_000_000_000_000, 1_700_000_000_000, 253_402_300_799_999])('%p is stored', (timestampMs) => {
    expect(refused({ timestampMs })).toBeUndefined();
  });

  test.each([999_999_999_999, 0, -1, 1_700_000_000, 253_402_300_800_000, 1e300])('%p is out of range', (timestampMs) => {
    expect(refused({ timestampMs })).toBe(`timestamp ${timestampMs} is out of range`);
  });

  test.each([1_700_000_000_000.5, NaN, Infinity, '1700000000000', null, undefined])('%p is no whole number of milliseconds', (timestampMs) => {
    expect(refused({ timestampMs })).toBe(`timestamp ${String(timestampMs)} is not a whole number of milliseconds`);
  });
});

describe('labels', () => {
  test('28 are stored, which makes 30 with __name__ and device_id; 29 are refused', () => {
    expect(refused({ tags: labelsOf(28) })).toBeUndefined();
    expect(refused({ tags: labelsOf(29) })).toBe('29 labels; with __name__ and device_id at most 30 are kept');
  });

  test('values of 4096 bytes are stored, of 4097 refused', () => {
    expect(refused({ tags: { path: 'x'.repeat(4096) } })).toBeUndefined();
    expect(refused({ tags: { path: 'x'.repeat(4097) } })).toBe('label "path" is longer than 4096 bytes');
  });

  test('are measured in bytes of UTF-8, not in letters', () => {
    expect(refused({ tags: { path: '€'.repeat(1365) } })).toBeUndefined();
    expect(refused({ tags: { path: `${'€'.repeat(1365)}x` } })).toBeUndefined();
    expect(refused({ tags: { path: `${'€'.repeat(1365)}xx` } })).toBe('label "path" is longer than 4096 bytes');
    expect(refused({ tags: { path: '😀'.repeat(1024) } })).toBeUndefined();
    expect(refused({ tags: { path: '😀'.repeat(1025) } })).toBe('label "path" is longer than 4096 bytes');
  });

  test.each([5, null, undefined, true, ['x'], {}])('%p is no value of a label', (value) => {
    expect(refused({ tags: { core: value } })).toBe('label "core" is not a string');
  });

  test('half a surrogate pair is refused: on the way it would become the same as any other half', () => {
    expect(refused({ tags: { core: 'a\ud800b' } })).toBe('label "core" is not well-formed unicode');
    expect(refused({ tags: { core: 'a\ud83d\ude00b' } })).toBeUndefined();
    expect(refused({ valueType: 1, value: '\udc00' })).toBe('label "value" is not well-formed unicode');
  });

  test('one bad label among sound ones refuses the sample', () => {
    expect(refused({ tags: { core: 'all', mode: 7 } })).toBe('label "mode" is not a string');
  });
});

describe('names', () => {
  test('an empty name is refused, of a sample and of a label', () => {
    expect(refused({ name: '' })).toBe('empty name');
    expect(refused({ tags: { '': 'x' } })).toBe('label name "" is reserved');
  });

  test('of a sample and of a device are labels like any other: well-formed, and of at most 4096 bytes', () => {
    expect([refused({ name: 'x'.repeat(4096) }), refused({ deviceId: 'x'.repeat(4096) })]).toEqual([undefined, undefined]);
    expect(refused({ name: 'x'.repeat(4097) })).toBe('label "__name__" is longer than 4096 bytes');
    expect(refused({ deviceId: 'x'.repeat(4097) })).toBe('label "device_id" is longer than 4096 bytes');
    expect(refused({ deviceId: 'b\ud8001' })).toBe('label "device_id" is not well-formed unicode');
  });

  test('__name__ is refused as a label: it would rename the series', () => {
    expect(refused({ tags: { __name__: 'other' } })).toBe('label name "__name__" is reserved');
  });

  test('"value" is refused beside a text, which leaves under that label, and stored beside a number', () => {
    expect(refused({ tags: { value: 'x' }, value: 'text', valueType: 1 })).toBe('label name "value" is reserved');
    expect(refused({ tags: { value: 'x' } })).toBeUndefined();
  });

  test('a foreign device_id is stored, and exported_device_id too, but not both: they would leave as one', () => {
    expect(refused({ tags: { device_id: 'x' } })).toBeUndefined();
    expect(refused({ tags: { exported_device_id: 'x' } })).toBeUndefined();
    expect(refused({ tags: { device_id: 'x', exported_device_id: 'y' } })).toBe('label name "exported_device_id" is reserved');
  });
});
