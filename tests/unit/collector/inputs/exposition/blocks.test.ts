import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { cutIntoBlocks } from '../../../../../collector/src/inputs/exposition/bytes.ts';
import { createConverter } from '../../../../support/collector/made-target.ts';

async function listBlocks(parts: readonly Buffer[]): Promise<string[]> {
  const blocks: string[] = [];
  for await (const block of cutIntoBlocks(parts)) blocks.push(block.toString('latin1'));
  return blocks;
}

/** Cuts a text into parts of these lengths. */
function cut(text: Buffer, lengths: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  let at = 0;
  for (const length of lengths) parts.push(text.subarray(at, (at += length)));
  return [...parts, text.subarray(at)];
}

test('blocks: wherever a text is cut, they are the same text in whole lines of at most 8 KiB, or of one longer line', async () => {
  const line = fc.oneof(fc.nat(20), fc.nat(20_000)).map((length) => `${'x'.repeat(length)}\n`);
  const lengths = fc.array(fc.oneof(fc.nat(5), fc.nat(30_000)), { maxLength: 8 });
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 12 }), fc.nat(10), lengths, async (lines, rest, at) => {
      const text = lines.join('') + 'y'.repeat(rest);
      const blocks = await listBlocks(cut(Buffer.from(text), at));
      expect(blocks.join('')).toBe(text);
      for (const block of blocks.slice(0, -1)) expect(block.endsWith('\n')).toBe(true);
      for (const block of blocks)
        expect(block.length <= 8_192 || block.indexOf('\n', 0) >= block.length - 1 || !block.includes('\n')).toBe(true);
    }),
  );
});

test('blocks: a page is converted the same wherever it is cut, and named by its line if it is malformed', async () => {
  const converter = createConverter({ maxAgeMs: 300_000 });
  const convert = async (parts: readonly Buffer[]): Promise<unknown> => {
    try {
      const { readings, samples, errors } = await converter.convert(parts, { format: 'prometheus' }, 5);
      return [readings.map(({ series: { name, kind }, value }) => [name, kind, value]), samples, errors.map(String)];
    } catch (error) {
      return (error as Error).message;
    }
  };
  const good = Buffer.from(
    `# TYPE "ä" gauge\na{b="ü"} 1\n{"ä"} 2\n# TYPE a counter\nold 1 1000\n${[1, 2, 3, 4, 5].map((each) => `c${each} 1\nold 2 1000\n`).join('')}`,
  );
  const whole = await convert([good]);
  expect(whole).toEqual([
    [
      ['a', 'counter', 1],
      ['ä', 'gauge', 2],
      ['c1', 'untyped', 1],
      ['c2', 'untyped', 1],
      ['c3', 'untyped', 1],
    ],
    13,
    [expect.stringContaining('6 samples have a timestamp'), expect.stringContaining('2 samples over the limit')],
  ]);
  const bad = Buffer.concat([good, Buffer.from('z 1\nz{a="\xff"} 1\n', 'latin1'), good]);
  for (let at = 0; at <= bad.length; at++) {
    if (at <= good.length) expect(await convert(cut(good, [at]))).toEqual(whole);
    expect(await convert(cut(bad, [at, 1]))).toBe('line 17: not UTF-8');
  }
});
