import { readFileSync } from 'node:fs';

import { expect, test } from '@jest/globals';

import { trimMemory } from '@thugshells/shared/process/trim-memory.ts';

/** The part of the heap of malloc(3) that is in memory, in bytes. */
function readHeapBytes(): number {
  const heap = /\[heap\]\n(?:\w+:.*\n)*?Rss:\s+(\d+) kB/.exec(readFileSync('/proc/self/smaps', 'utf8'))?.[1];
  return Number(heap) * 1024;
}

test('trimMemory: returns memory that was freed between blocks which are still used', () => {
  // Each too small for a mapping of its own, so that they lie side by side in the heap.
  const blocks = Array.from({ length: 1_000 }, () => new Uint8Array(60_000).fill(1));
  for (let index = 0; index < blocks.length; index += 2) blocks[index]!.buffer.transfer(0);
  const before = readHeapBytes();
  trimMemory();
  expect(before - readHeapBytes()).toBeGreaterThan(10e6);
  expect(blocks).toHaveLength(1_000);
});
