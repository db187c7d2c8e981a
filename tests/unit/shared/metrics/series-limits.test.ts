import { describe, expect, test } from '@jest/globals';

import { toExportedLabels, type LineIdentity } from '../../../../shared/src/metrics/json-lines.ts';
import type { Labels } from '../../../../shared/src/metrics/sample.ts';
import { findLimitRefusal, findSeriesLimits } from '../../../../shared/src/metrics/series-limits.ts';

const SHORTEN = 'shorten it at the source';

interface Change extends Partial<LineIdentity> {
  readonly text?: string;
}

function refused(
  { text, ...change }: Change,
  protocol: Parameters<typeof findSeriesLimits>[0] = 'victoriametrics',
): string | undefined {
  const valueType = text === undefined ? 0 : 1;
  return findLimitRefusal(
    { name: 'cpu.usage_percent', deviceId: 'b1', tags: {}, valueType, ...change },
    text,
    findSeriesLimits(protocol),
  );
}

function labelsOf(count: number, value = 'x'): Labels {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`l${index}`, value]));
}

describe('the number of labels that VictoriaMetrics keeps', () => {
  test('is 30 with __name__ and device_id: 28 of its own are sent, 29 are refused', () => {
    expect(refused({ tags: labelsOf(28) })).toBeUndefined();
    expect(refused({ tags: labelsOf(29) })).toBe(
      '31 labels with __name__ and device_id, VictoriaMetrics keeps 30: remove labels at the source',
    );
  });

  test('is one less for a text, which is sent as a label', () => {
    expect(refused({ tags: labelsOf(27), text: 'x' })).toBeUndefined();
    expect(refused({ tags: labelsOf(28), text: 'x' })).toBe(
      '31 labels with __name__, device_id and value, VictoriaMetrics keeps 30: remove labels at the source',
    );
  });
});

describe('the name of a label', () => {
  test.each([
    ['x'.repeat(256), undefined],
    ['x'.repeat(257), 257],
    ['é'.repeat(128), undefined],
    ['é'.repeat(129), 258],
    [`${'€'.repeat(85)}x`, undefined],
    [`${'€'.repeat(85)}xx`, 257],
    ['😀'.repeat(64), undefined],
    [`${'😀'.repeat(64)}x`, 257],
  ])('is counted in bytes of UTF-8: %#', (name, bytes) => {
    const quoted = `${name.slice(0, 80)}…`;
    expect(refused({ tags: { [name]: 'x' } })).toBe(
      bytes && `label name "${quoted}" has ${bytes} bytes, VictoriaMetrics drops more than 256: ${SHORTEN}`,
    );
  });
});

describe('the value of a label', () => {
  test.each([
    ['x'.repeat(4096), undefined],
    ['x'.repeat(4097), 4097],
    ['€'.repeat(1365) + 'x', undefined],
    ['€'.repeat(1365) + 'xx', 4097],
    ['😀'.repeat(1024), undefined],
    ['😀'.repeat(1024) + 'x', 4097],
  ])('is counted in bytes of UTF-8, also of a device and a text: %#', (value, bytes) => {
    const expected = (name: string) =>
      bytes && `label "${name}" has ${bytes} bytes, VictoriaMetrics drops more than 4096: ${SHORTEN}`;
    expect(refused({ tags: { path: value } })).toBe(expected('path'));
    expect(refused({ deviceId: value })).toBe(expected('device_id'));
    expect(refused({ text: value })).toBe(expected('value'));
    expect(refused({ tags: { device_id: value } })).toBe(expected('exported_device_id'));
  });
});

test('the name of a metric has the limit of a value, as it is sent: that of a text ends in _info', () => {
  const tooLong = `the name has 4097 bytes, VictoriaMetrics drops more than 4096: ${SHORTEN}`;
  expect([refused({ name: 'x'.repeat(4096) }), refused({ name: 'x'.repeat(4097) })]).toEqual([undefined, tooLong]);
  expect([refused({ name: 'x'.repeat(4091), text: 'y' }), refused({ name: 'x'.repeat(4092), text: 'y' })]).toEqual([
    undefined,
    tooLong,
  ]);
});

describe('all labels of a series together', () => {
  /** Sends as many bytes as its index has, the separators counted. */
  function seriesOf(bytes: number, unit = 'x', unitBytes = 1): LineIdentity {
    const series = {
      name: 'a',
      deviceId: 'b1',
      valueType: 0,
      tags: labelsOf(9, unit.repeat(Math.floor(3_000 / unitBytes))),
    };
    const used =
      toExportedLabels(series).reduce((sum, [name, value]) => sum + name.length + value.length * unitBytes + 2, 0) -
      (1 + 2) * (unitBytes - 1);
    return { ...series, tags: { ...series.tags, l20: 'x'.repeat(4_000), r: 'x'.repeat(bytes - used - 3 - 4_002 - 3) } };
  }

  test('are 32,000 bytes at most, though each is short enough', () => {
    expect(refused(seriesOf(32_000))).toBeUndefined();
    expect(refused(seriesOf(32_001))).toBe(
      'all labels together have 32001 bytes, VictoriaMetrics drops more than 32000: shorten them at the source',
    );
  });

  test('count the control characters twice that its index escapes', () => {
    expect(refused(seriesOf(32_000, '\u0001', 2))).toBeUndefined();
    expect(refused(seriesOf(32_001, '\u0001', 2))).toContain('have 32001 bytes');
    expect(refused(seriesOf(32_001, '\u0000', 2))).toContain('have 32001 bytes');
    expect(refused(seriesOf(32_001, '\u0002', 2))).toContain('have 32001 bytes');
    expect(refused(seriesOf(32_000, '\u0003', 1))).toBeUndefined();
  });
});

describe('remote write', () => {
  test('has none of these: its receivers have limits of their own and answer 400', () => {
    const tags = { ...labelsOf(60), ['x'.repeat(300)]: 'y'.repeat(20_000) };
    expect(refused({ tags, name: 'x'.repeat(5_000) }, 'remote-write')).toBeUndefined();
    expect(refused({ tags, text: 'x'.repeat(5_000) }, 'remote-write')).toBeUndefined();
  });

  test('has 32,000 bytes of all labels together, so that the memory for them is bounded', () => {
    const tooLong = /^all labels together have 320\d\d bytes, the limit is 32000: shorten them at the source$/;
    const names = { name: 'a', deviceId: 'b1', valueType: 0 };
    const sent = '__name__adevice_idb1path'.length + 6;
    expect(refused({ ...names, tags: { path: 'x'.repeat(32_000 - sent) } }, 'remote-write')).toBeUndefined();
    expect(refused({ ...names, tags: { path: 'x'.repeat(32_001 - sent) } }, 'remote-write')).toMatch(tooLong);
    expect(refused({ ...names, tags: labelsOf(9_000, '') }, 'remote-write')).toContain('the limit is 32000');
    expect(refused({ ...names, tags: { ['€'.repeat(11_000)]: '' } }, 'remote-write')).toContain('the limit is 32000');
    // A name of three bytes and the ends of two texts: 40,000 bytes.
    const short = Array.from({ length: 8_000 }, (_, index): [string, string] => [
      String.fromCharCode(0x4e00 + index),
      '',
    ]);
    expect(refused({ ...names, tags: Object.fromEntries(short) }, 'remote-write')).toContain('the limit is 32000');
  });
});
