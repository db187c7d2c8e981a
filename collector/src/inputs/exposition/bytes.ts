import { isUtf8 } from 'node:buffer';

import { AgentError } from '@thugshells/shared/errors.ts';

const LINE_FEED = 10;

/**
 * Decodes UTF-8. Invalid bytes are refused, not replaced: two values that differ in them would become one.
 *
 * @throws AgentError EXPOSITION_MALFORMED that names the line
 */
export function decodeUtf8(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  let line = 1;
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
