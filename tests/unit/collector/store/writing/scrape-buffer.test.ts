import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Sample } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries } from '@thugshells/shared/metrics/series.ts';

import { ScrapeBuffer } from '../../../../../collector/src/store/writing/scrape-buffer.ts';
import { NOW, createStatus } from '../../../../support/collector/collector-parts.ts';

const sample: Sample = {
  name: 'a.x',
  deviceId: 'b1',
  tags: {},
  canonical: '{}',
  valueType: 0,
  value: 1,
  priority: 1,
  declaration: declareSeries({ name: 'a.x', kind: 'gauge', unit: 'none', help: '' }),
};
let buffer: ScrapeBuffer;

beforeEach(() => {
  buffer = new ScrapeBuffer();
});

/** Adds a scrape of so many samples, which began so many milliseconds after the first one. */
function add(samples: number, afterMs: number): void {
  const at = { wallMs: NOW + afterMs, monotonicMs: afterMs, sinceBootMs: afterMs };
  buffer.add({ at, samples: new Array<Sample>(samples).fill(sample), status: createStatus() });
}

/** When the scrapes of the next commit began. */
function group(maxSamples?: number): number[] {
  return buffer.peek(maxSamples).map(({ at }) => at.wallMs - NOW);
}

describe('scrape buffer: full', () => {
  test('scrape buffer: drops the oldest scrapes when it is full, as a loss with count and times', () => {
    for (let scrape = 0; scrape < 4; scrape++) add(9_000, scrape * 1_000);
    expect([group(1e6), buffer.sampleCount, buffer.loss]).toEqual([
      [1_000, 2_000, 3_000],
      27_000,
      { reason: 'memory', count: 9_000, firstMs: NOW, lastMs: NOW },
    ]);
    add(9_000, 4_000);
    expect([group(1e6), buffer.loss]).toEqual([
      [2_000, 3_000, 4_000],
      { reason: 'memory', count: 18_000, firstMs: NOW, lastMs: NOW + 1_000 },
    ]);
  });

  test('scrape buffer: keeps the newest scrape, however large', () => {
    add(10, 0);
    add(100_000, 1_000);
    expect([group(1e6), buffer.loss?.count]).toEqual([[1_000], 10]);
  });

  test('scrape buffer: drops scrapes without samples too, which is no loss', () => {
    for (let scrape = 0; scrape < 10_000; scrape++) add(0, scrape);
    expect(group(1e6).length).toBeLessThan(10_000);
    expect([group(1e6).at(-1), buffer.loss]).toEqual([9_999, undefined]);
  });
});

describe('scrape buffer: a commit', () => {
  test('scrape buffer: a commit takes the oldest scrapes, as many as fit into it, and at least one', () => {
    add(1_500, 0);
    add(400, 1_000);
    add(200, 2_000);
    expect([group(), group(1_000), group(0)]).toEqual([[0, 1_000], [0], [0]]);
  });

  test('scrape buffer: a commit leaves the other scrapes, and the loss is booked with it', () => {
    for (let scrape = 0; scrape < 4; scrape++) add(9_000, scrape * 1_000);
    buffer.removeCommitted(2);
    expect([group(1e6), buffer.sampleCount, buffer.loss, buffer.isEmpty]).toEqual([[3_000], 9_000, undefined, false]);
    buffer.removeCommitted(1);
    expect(buffer.isEmpty).toBe(true);
  });
});
