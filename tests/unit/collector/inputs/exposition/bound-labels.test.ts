import { describe, expect, test } from '@jest/globals';

import { normalizeBound } from '../../../../../collector/src/inputs/exposition/bound-labels.ts';
import { createConverter } from '../../../../support/collector/made-target.ts';

/** As labels.FormatOpenMetricsFloat of Prometheus 3.16 writes them. */
const BOUNDS: readonly (readonly [string, string])[] = [
  ['1', '1.0'],
  ['0', '0.0'],
  ['-0', '0.0'],
  ['+5', '5.0'],
  ['.5', '0.5'],
  ['2.50', '2.5'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['100000', '100000.0'],
  ['1000000', '1e+06'],
  ['999999', '999999.0'],
  ['1234567.5', '1.2345675e+06'],
  ['1e300', '1e+300'],
  ['5e-324', '5e-324'],
  ['+Inf', '+Inf'],
  ['inf', '+Inf'],
  ['-infinity', '-Inf'],
  ['nan', 'NaN'],
  ['1e999', '1e999'],
  ['all', 'all'],
  ['1 ', '1 '],
  ['', ''],
];

describe('bounds', () => {
  test.each(BOUNDS)('bounds: %p of a histogram and of a summary is %p', (written, expected) => {
    expect(normalizeBound({ a: '1', le: written }, 'histogram')).toEqual({ a: '1', le: expected });
    expect(normalizeBound({ quantile: written }, 'summary')).toEqual({ quantile: expected });
  });

  test('bounds: labels of other types stay, and so do le of a summary and quantile of a histogram', () => {
    const labels = { le: '1', quantile: '1' };
    for (const type of [undefined, 'unknown', 'counter', 'gaugehistogram'] as const)
      expect(normalizeBound(labels, type)).toBe(labels);
    expect(normalizeBound(labels, 'histogram')).toEqual({ le: '1.0', quantile: '1' });
    expect(normalizeBound(labels, 'summary')).toEqual({ le: '1', quantile: '1.0' });
  });

  test('bounds: are normalized where the options say so, by the type that the page declares', async () => {
    const page = '# TYPE h histogram\nh_bucket{le="1"} 1\nh_sum 2\nother{le="1"} 3\n';
    const convert = async (normalizesBounds: boolean): Promise<unknown[]> => {
      const converter = createConverter({ normalizesBounds });
      const { readings } = await converter.convert([Buffer.from(page)], { format: 'prometheus' }, 10);
      return readings.map(({ labels }) => labels);
    };
    expect(await convert(true)).toEqual([{ le: '1.0' }, {}, { le: '1' }]);
    expect(await convert(false)).toEqual([{ le: '1' }, {}, { le: '1' }]);
  });
});
