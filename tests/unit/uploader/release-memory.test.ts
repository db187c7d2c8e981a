import { describe, expect, test } from '@jest/globals';

import { releaseMemory } from '../../../uploader/src/release-memory.ts';

describe('releaseMemory:', () => {
  test('frees the memory of an array that has it for itself, and does nothing the second time', () => {
    const array = new Float64Array(1_000);
    releaseMemory(array);
    releaseMemory(array);
    expect([array.length, array.buffer.detached]).toEqual([0, true]);
  });

  test('leaves memory that other arrays share', () => {
    const all = new Uint8Array(1_000).fill(7);
    releaseMemory(all.subarray(0, 999));
    expect([all.length, all[0]]).toEqual([1_000, 7]);
    const pooled = Buffer.from('a short text lies in a pool');
    releaseMemory(pooled);
    expect(pooled.toString()).toBe('a short text lies in a pool');
  });
});
