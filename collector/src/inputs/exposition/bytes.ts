import { isUtf8 } from 'node:buffer';

import { AgentError } from '@thugshells/shared/errors.ts';

const LINE_FEED = 10;

/**
 * Bytes of a text that are decoded at once. A larger block would still be in use when V8 collects its young objects, and be
 * garbage of the old ones, which it collects far later.
 */
const BLOCK_BYTES = 8 * 1024;

/**
 * Cuts a text, whose parts arrive anyhow, into blocks of whole lines: of 8 KiB, or of one longer line. Only the last one may
 * end without a line feed.
 */
export async function* cutIntoBlocks(parts: AsyncIterable<Buffer> | Iterable<Buffer>): AsyncGenerator<Buffer> {
  let begun: Buffer[] = [];
  for await (const part of parts) {
    let start = 0;
    if (begun.length > 0) {
      start = part.indexOf(LINE_FEED) + 1;
      if (start > 0) yield Buffer.concat([...begun, part.subarray(0, start)]);
      if (start > 0) begun = [];
    }
    for (let end = findBlockEnd(part, start); end > start; start = end, end = findBlockEnd(part, start))
      yield part.subarray(start, end);
    if (start < part.length) begun.push(part.subarray(start));
  }
  if (begun.length > 0) yield Buffer.concat(begun);
}

/** Returns the end of the block that begins at a position, after a line feed; the position itself if there is none. */
function findBlockEnd(bytes: Buffer, start: number): number {
  const within = bytes.lastIndexOf(LINE_FEED, start + BLOCK_BYTES - 1) + 1;
  return within > start ? within : Math.max(start, bytes.indexOf(LINE_FEED, start) + 1);
}

/**
 * Decodes UTF-8. Invalid bytes are refused, not replaced: two values that differ in them would become one.
 *
 * @param firstLine the number of the first line
 * @throws AgentError EXPOSITION_MALFORMED that names the line
 */
export function decodeUtf8(bytes: Buffer, firstLine = 1): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let line = firstLine;
  for (
    let start = 0, end = bytes.indexOf(LINE_FEED);
    end !== -1 && isUtf8(bytes.subarray(start, end));
    end = bytes.indexOf(LINE_FEED, start)
  ) {
    start = end + 1;
    line += 1;
  }
  throw new AgentError(`line ${line}: not UTF-8`, { code: 'EXPOSITION_MALFORMED' });
}
