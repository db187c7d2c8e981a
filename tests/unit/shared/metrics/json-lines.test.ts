import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  printNumber,
  toJsonLine,
  toMetricObject,
  toExportedSeriesName,
} from '../../../../shared/src/metrics/json-lines.ts';
import { parseJson } from '../../../../shared/src/state/stored-values.ts';

const series = { name: 'cpu.usage_percent', deviceId: 'b1', tags: { core: 'all' }, valueType: 0 };

function parsed(line: string): { metric: Record<string, string>; values: number[]; timestamps: number[] } {
  return parseJson(line) as never;
}

test('a line is one JSON object with metric, values and timestamps, and a line end', () => {
  const line = toJsonLine(toMetricObject(series), '12.5,0,-3', '1700000000000,1700000010000,1700000020000');
  expect(line).toBe(
    '{"metric":{"__name__":"cpu_usage_percent","core":"all","device_id":"b1"},"values":[12.5,0,-3],"timestamps":[1700000000000,1700000010000,1700000020000]}\n',
  );
});

test('names, labels and values read back as they were, whatever they hold', () => {
  const label = fc.string({ unit: 'binary' }).filter((name) => !['', '__name__', 'device_id'].includes(name));
  const values = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.dictionary(label, fc.string({ unit: 'binary' })),
      fc.string({ unit: 'binary' }),
      values,
      (tags, deviceId, numbers) => {
        const line = toJsonLine(
          toMetricObject({ ...series, tags, deviceId }),
          numbers.map(printNumber).join(),
          numbers.map((_, index) => index).join(),
        );
        expect(line.indexOf('\n')).toBe(line.length - 1);
        const { metric, values: read } = parsed(line);
        expect(metric).toEqual({ ...tags, __name__: 'cpu_usage_percent', device_id: deviceId });
        expect(read).toEqual(numbers);
      },
    ),
  );
});

describe('a text', () => {
  test('leaves as <name>_info with itself as the label "value"', () => {
    const text = { name: 'system.kernel', deviceId: 'b1', tags: { arch: 'arm64' }, valueType: 1 };
    expect(parsed(toJsonLine(toMetricObject(text, '5.10 "rk"'), '1', '1')).metric).toEqual({
      __name__: 'system_kernel_info',
      arch: 'arm64',
      device_id: 'b1',
      value: '5.10 "rk"',
    });
  });

  test('that is empty still has its label', () => {
    expect(parsed(toJsonLine(toMetricObject({ ...series, valueType: 1 }, ''), '1', '1')).metric['value']).toBe('');
  });

  test('and a number of one name leave under two', () => {
    expect([
      toExportedSeriesName({ name: 'a.b', valueType: 0 }),
      toExportedSeriesName({ name: 'a.b', valueType: 1 }),
    ]).toEqual(['a_b', 'a_b_info']);
  });
});

test('a foreign device_id leaves as exported_device_id, beside this board’s own', () => {
  expect(parsed(toJsonLine(toMetricObject({ ...series, tags: { device_id: 'sensor-7' } }), '1', '1')).metric).toEqual({
    __name__: 'cpu_usage_percent',
    exported_device_id: 'sensor-7',
    device_id: 'b1',
  });
});
