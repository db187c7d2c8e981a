import { describe, expect, test } from '@jest/globals';

import type { Sample } from '../../../../shared/src/metrics/sample.ts';
import { declareSeries } from '../../../../shared/src/metrics/series.ts';
import { STALE_MARKER } from '../../../../shared/src/metrics/sample-value.ts';
import type { RemoteProtocol } from '../../../../shared/src/metrics/series-limits.ts';
import { findSampleRefusal, findTimestampRefusal } from '../../../../shared/src/metrics/sample-refusals.ts';

const sound: Sample = {
  name: 'cpu.usage_percent',
  deviceId: 'belabox-001',
  tags: { core: 'all' },
  canonical: '{"core":"all"}',
  valueType: 0,
  value: 12.5,
  priority: 1,
  declaration: declareSeries({ name: 'cpu.usage_percent', kind: 'gauge', unit: 'percent', help: '' }),
};

function refused(
  change: Partial<Record<keyof Sample, unknown>>,
  protocol: RemoteProtocol = 'victoriametrics',
): string | undefined {
  return findSampleRefusal({ ...sound, ...change } as Sample, protocol);
}

test('a sound sample is not refused', () => {
  expect(refused({})).toBeUndefined();
  expect(refused({ tags: {} })).toBeUndefined();
  expect(refused({ value: '5.10.160', valueType: 1 })).toBeUndefined();
});

describe('values', () => {
  test.each([0, -0, -1.5, 5e-324, Number.MAX_VALUE, -Number.MAX_VALUE, 2 ** 53, Infinity, -Infinity])(
    '%p is stored',
    (value) => {
      expect(refused({ value })).toBeUndefined();
    },
  );

  test('NaN and the end of a series are refused for VictoriaMetrics’ import format, which has neither', () => {
    expect(refused({ value: NaN })).toBe('value NaN is not finite');
    expect(refused({ value: STALE_MARKER })).toBe('the end of a series has no value');
  });

  test.each([NaN, STALE_MARKER, -0, Infinity])('%p is stored for remote write', (value) => {
    expect(refused({ value }, 'remote-write')).toBeUndefined();
  });

  test.each([null, undefined, true, 5n, {}, []])('%p is refused: neither number nor text', (value) => {
    expect(refused({ value })).toMatch(/^value of type /);
  });
});

describe('times', () => {
  test.each([1_000_000_000_000, 1_700_000_000_000, 253_402_300_799_999])('%p is stored', (timestampMs) => {
    expect(findTimestampRefusal(timestampMs)).toBeUndefined();
  });

  test.each([999_999_999_999, 0, -1, 1_700_000_000, 253_402_300_800_000, 1e300])(
    '%p is out of range',
    (timestampMs) => {
      expect(findTimestampRefusal(timestampMs)).toBe(`timestamp ${timestampMs} is out of range`);
    },
  );

  test.each([1_700_000_000_000.5, NaN, Infinity, '1700000000000', null, undefined])(
    '%p is no whole number of milliseconds',
    (timestampMs) => {
      expect(findTimestampRefusal(timestampMs)).toBe(
        `timestamp ${String(timestampMs)} is not a whole number of milliseconds`,
      );
    },
  );
});

describe('labels', () => {
  test.each([5, null, undefined, true, ['x'], {}])('%p is no value of a label', (value) => {
    expect(refused({ tags: { core: value } })).toBe('label "core" is not a string');
  });

  test('half a surrogate pair is refused: on the way it would become the same as any other half', () => {
    expect(refused({ tags: { core: 'a\ud800b' } })).toBe('label "core" is not well-formed unicode');
    expect(refused({ tags: { core: 'a\ud83d\ude00b' } })).toBeUndefined();
    expect(refused({ valueType: 1, value: '\udc00' })).toBe('label "value" is not well-formed unicode');
    expect(refused({ tags: { 'a\ud800': 'x' } })).toBe('label name "a\ufffd" is not well-formed unicode');
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

  test('of a sample and of a device are labels like any other: well-formed', () => {
    expect(refused({ name: 'x\udc00' })).toBe('label "__name__" is not well-formed unicode');
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
    expect(refused({ tags: { device_id: 'x', exported_device_id: 'y' } })).toBe(
      'label name "exported_device_id" is reserved',
    );
  });
});
