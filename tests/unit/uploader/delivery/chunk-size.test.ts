import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { ChunkSize, type ChunkSizeOptions } from '../../../../uploader/src/delivery/chunk-size.ts';

const options: ChunkSizeOptions = {
  chunkMetrics: 50,
  batchMetrics: 2_500,
  chunkGrowth: true,
  chunkMaxBytes: 256 * 1024,
  uploadIntervalMs: 30_000,
};
const BACKLOG = 1_000_000;

/** Accepts chunks of whatever size is asked for, at 4 bytes a sample and a fixed speed. */
function acceptChunks(size: ChunkSize, chunks: number, samplesPerMs = 100): number[] {
  return Array.from({ length: chunks }, () => {
    const samples = size.next(BACKLOG).chunkMetrics;
    size.accepted({ samples, bytes: samples * 4, durationMs: samples / samplesPerMs });
    return samples;
  });
}

describe('chunk size without a backlog:', () => {
  test('is 50 samples for the first one, and what was learned for the others', () => {
    const size = new ChunkSize(options);
    expect(size.next(2_500)).toEqual({ batchMetrics: 2_500, chunkMetrics: 50, furtherChunkMetrics: 50 });
    acceptChunks(size, 3);
    const learned = { batchMetrics: 2_500, chunkMetrics: 50, furtherChunkMetrics: 400 };
    expect([size.next(1), size.next(2_500)]).toEqual([learned, learned]);
  });

  test('is 50 samples again after failures, and always if growth is disabled', () => {
    const size = new ChunkSize(options);
    acceptChunks(size, 2);
    size.failed('refused', 200);
    size.failed('refused', 100);
    expect(size.next(510)).toEqual({ batchMetrics: 2_500, chunkMetrics: 50, furtherChunkMetrics: 50 });
    const fixed = new ChunkSize({ ...options, chunkGrowth: false });
    acceptChunks(fixed, 3);
    expect(fixed.next(510)).toEqual({ batchMetrics: 2_500, chunkMetrics: 50 });
  });
});

describe('chunk size with a backlog:', () => {
  test('is what was learned, from one row more than a batch on', () => {
    const size = new ChunkSize(options);
    acceptChunks(size, 8);
    expect(size.next(2_501)).toEqual(size.next(BACKLOG));
  });

  test('doubles with each chunk that is accepted whole', () => {
    expect(acceptChunks(new ChunkSize(options), 5)).toEqual([50, 100, 200, 400, 800]);
  });

  test('is that of a part of a batch after a rejection, until a chunk is accepted', () => {
    const size = new ChunkSize(options);
    size.failed('rejected', 50);
    expect(size.next(BACKLOG)).toEqual({ batchMetrics: 2_500, chunkMetrics: 50, furtherChunkMetrics: 50 });
    acceptChunks(size, 1);
    expect(size.next(BACKLOG)).toEqual({ batchMetrics: 100, chunkMetrics: 100 });
  });

  test('stays 50 if growth is disabled', () => {
    expect(acceptChunks(new ChunkSize({ ...options, chunkGrowth: false }), 5)).toEqual([50, 50, 50, 50, 50]);
  });

  test('grows up to the maximum bytes, by the measured bytes per sample (A-14)', () => {
    const last = acceptChunks(new ChunkSize(options), 40).at(-1)!;
    expect(last * 4).toBeLessThanOrEqual(256 * 1024);
    expect(last * 4).toBeGreaterThan(0.95 * 256 * 1024);
  });

  test('is at most what is sent in half an interval at the measured speed', () => {
    const last = acceptChunks(new ChunkSize(options), 40, 0.1).at(-1)!;
    expect(last).toBe(1_500);
  });

  test('halves with each chunk that is rejected, down to 50', () => {
    const size = new ChunkSize(options);
    acceptChunks(size, 4);
    size.failed('refused', 800);
    expect(size.next(BACKLOG).chunkMetrics).toBe(400);
    for (let failure = 0; failure < 10; failure++) size.failed('refused', size.next(BACKLOG).chunkMetrics);
    expect(size.next(BACKLOG).chunkMetrics).toBe(50);
  });

  test('exceeds half of a chunk that was too large only slowly', () => {
    const size = new ChunkSize(options);
    acceptChunks(size, 7);
    size.failed('too-large', 6_400);
    const sizes = acceptChunks(size, 30);
    expect(sizes.slice(0, 5).every((samples) => samples <= 3_200 * 1.05 ** 5)).toBe(true);
    expect(sizes.findIndex((samples) => samples > 6_400)).toBeGreaterThan(10);
    expect(sizes.at(-1)).toBeGreaterThan(6_400);
  });
});

test('chunk size: stays within its bounds for any sequence of results', () => {
  const event = fc.oneof(
    fc.record({
      kind: fc.constant('accepted' as const),
      bytesPerSample: fc.double({ min: 0.5, max: 40, noNaN: true }),
      durationMs: fc.integer({ min: 0, max: 60_000 }),
    }),
    fc.record({ kind: fc.constantFrom('refused' as const, 'too-large' as const) }),
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 100 }), (events) => {
      const size = new ChunkSize(options);
      for (const each of events) {
        const samples = size.next(BACKLOG).chunkMetrics;
        if (each.kind === 'accepted')
          size.accepted({ samples, bytes: samples * each.bytesPerSample, durationMs: each.durationMs });
        else size.failed(each.kind, samples);
        const next = size.next(BACKLOG).chunkMetrics;
        expect(Number.isInteger(next)).toBe(true);
        expect(next).toBeGreaterThanOrEqual(50);
        expect(next).toBeLessThanOrEqual(256 * 1024 * 2);
      }
    }),
  );
});

describe('number of batches to prefetch:', () => {
  /** Returns a size that has grown to its limit over a link of so many samples a millisecond. */
  function grown(samplesPerMs: number): ChunkSize {
    const size = new ChunkSize(options);
    acceptChunks(size, 40, samplesPerMs);
    return size;
  }

  test('is one while chunks grow', () => {
    const size = new ChunkSize(options);
    expect(size.batchesAhead()).toBe(1);
    acceptChunks(size, 5, 1_000);
    expect(size.batchesAhead()).toBe(1);
  });

  test('is what is sent in 300 ms, at most six', () => {
    expect(grown(2_000).batchesAhead()).toBe(6);
    expect(grown(1_000).batchesAhead()).toBe(5);
  });

  test('is one over a slow link', () => {
    expect(grown(0.1).batchesAhead()).toBe(1);
  });

  test('is one after a failure, and while the chunk size is at the ceiling that the failure set', () => {
    const size = grown(2_000);
    size.failed('too-large', 4_000);
    expect(size.batchesAhead()).toBe(1);
    acceptChunks(size, 3, 2_000);
    expect([size.next(BACKLOG).chunkMetrics, size.batchesAhead()]).toEqual([2_315, 1]);
    acceptChunks(size, 100, 2_000);
    expect(size.batchesAhead()).toBe(6);
  });
});
