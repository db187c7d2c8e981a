import { isUtf8 } from 'node:buffer';

/** The characters of UTF-8 beyond ASCII (RFC 3629, section 4), in bytes read as Latin-1; anything else there is one byte. */
const CHARACTER_OR_BYTE = new RegExp(
  [
    '([\\xc2-\\xdf][\\x80-\\xbf]|\\xe0[\\xa0-\\xbf][\\x80-\\xbf]|[\\xe1-\\xec\\xee\\xef][\\x80-\\xbf]{2}',
    '|\\xed[\\x80-\\x9f][\\x80-\\xbf]|\\xf0[\\x90-\\xbf][\\x80-\\xbf]{2}|[\\xf1-\\xf3][\\x80-\\xbf]{3}',
    '|\\xf4[\\x80-\\x8f][\\x80-\\xbf]{2})|[\\x80-\\xff]',
  ].join(''),
  'g',
);

/**
 * Decodes a text of the kernel. Names of interfaces, mounts and devices are bytes: those that are not UTF-8 become `\x` and
 * two hexadecimal digits, so that different names stay different.
 */
export function decodeKernelText(bytes: Buffer): string {
  if (isUtf8(bytes)) return bytes.toString('utf8');
  return bytes.toString('latin1').replace(CHARACTER_OR_BYTE, (match: string, character?: string) => {
    const encoded = Buffer.from(match, 'latin1');
    return character === undefined ? `\\x${encoded.toString('hex')}` : encoded.toString('utf8');
  });
}
