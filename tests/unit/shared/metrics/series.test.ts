import { describe, expect, test } from '@jest/globals';

import {
  declareSeries,
  toExportedName,
  NORMAL_PRIORITY,
  type SeriesKind,
} from '../../../../shared/src/metrics/series.ts';
import { thrownBy } from '../../../support/thrown.ts';

function declare(name: string, kind: SeriesKind = 'gauge') {
  return declareSeries({ name, kind, unit: 'none', help: 'A test’s.' });
}

describe('a declared series', () => {
  test('has the normal priority unless it declares another one', () => {
    expect(declare('cpu.usage_percent').priority).toBe(NORMAL_PRIORITY);
    expect(declareSeries({ name: 'a.b', kind: 'gauge', unit: 'none', help: '.', priority: 5 }).priority).toBe(5);
  });

  test.each(['load.average_1m', 'a.b.c', 'a1.2b', 'collector.x'])('may be named %p', (name) =>
    expect(declare(name).name).toBe(name),
  );

  test.each([
    '',
    'cpu',
    '.cpu',
    'cpu.',
    'cpu..x',
    'Cpu.usage',
    'cpu.Usage',
    '1cpu.x',
    'cpu.usage percent',
    'cpu.usage-percent',
    'cpu.üsage',
    'cpu.x\n',
  ])('may not be named %p', (name) =>
    expect(thrownBy(() => declare(name))).toMatchObject({
      code: 'BAD_SERIES',
      message: expect.stringContaining('is not dotted lower case'),
    }),
  );

  test('ends in _total if it is a counter, and only then', () => {
    expect(declare('disk.read_bytes_total', 'counter').kind).toBe('counter');
    for (const [name, kind] of [
      ['disk.read_bytes', 'counter'],
      ['disk.read_total', 'gauge'],
      ['disk.read_total', 'histogram'],
    ] as const) {
      expect(thrownBy(() => declare(name, kind))).toMatchObject({
        code: 'BAD_SERIES',
        message: expect.stringContaining(`is a ${kind}`),
      });
    }
    expect(declare('disk.totals').kind).toBe('gauge');
    expect(declare('disk.seconds', 'histogram').kind).toBe('histogram');
  });
});

test('a stored name is exported with an underscore for each dot', () => {
  expect(toExportedName('network.eth0.rx_bytes_total')).toBe('network_eth0_rx_bytes_total');
});
