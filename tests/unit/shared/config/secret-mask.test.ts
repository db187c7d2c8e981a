import { describe, expect, test } from '@jest/globals';

import { findUrlSecrets, maskSecrets } from '@thugshells/shared/config/secret-mask.ts';

const SECRET = 'p&s "w<rd/+é%';
const escaped = encodeURIComponent(SECRET);

describe('secrets of a URL', () => {
  test.each([
    ['as it stands in the URL', escaped, '***'],
    ['with lower-case escapes', escaped.toLowerCase(), '***'],
    ['decoded', SECRET, '***'],
    ['in JSON', JSON.stringify({ error: SECRET }), '{"error":"***"}'],
    [
      'in HTML',
      `<p>${SECRET.replaceAll('&', '&amp;').replaceAll('"', '&quot;').replaceAll('<', '&lt;')}</p>`,
      '<p>***</p>',
    ],
    ['of a form', escaped.replaceAll('%20', '+'), '***'],
    ['in base64', Buffer.from(SECRET).toString('base64').replace(/=+$/, ''), '***'],
  ])('are masked %s', (_, text, masked) => {
    const urls = [`https://ann:${escaped}@host/`, `https://${escaped}@host/`, `https://host/x?a=1&authKey=${escaped}`];
    for (const url of urls) expect(maskSecrets(`${text}, ${text}`, findUrlSecrets(url))).toBe(`${masked}, ${masked}`);
  });

  test('are masked as the header Authorization has them', () => {
    const basic = Buffer.from('ann:s3cr%t').toString('base64');
    expect(maskSecrets(`not ${basic}`, findUrlSecrets('https://ann:s3cr%25t@host/'))).toBe('not ***');
  });

  test('are each value of a query, and a long name without one', () => {
    const url = 'http://h/w?authKey=abcd&b=efgh&v=1&x=true&eyJhbGciOiJIUzI1NiJ9&extra_label=site=berlin&db=boards';
    expect(findUrlSecrets(url)).toEqual(['abcd', 'efgh', 'eyJhbGciOiJIUzI1NiJ9']);
  });

  test('are masked beside their name if they are too short to be looked for by themselves', () => {
    expect(maskSecrets('no such pin=abc, abc', findUrlSecrets('http://h/w?pin=abc'))).toBe('no such ***, abc');
  });

  test('are masked with escapes if they stand without them in the URL or the file', () => {
    expect(maskSecrets('a%20b%2Fcd a+b%2Fcd a%20b%2fcd a%20b/cd', ['a b/cd'])).toBe('*** *** *** ***');
  });

  test('are masked whole if one begins with another', () => {
    expect(maskSecrets('key abcdefgh', ['abcd', 'abcdefgh'])).toBe('key ***');
  });

  test('are none in a URL without them, and in what is no URL', () => {
    expect(['http://h:1/api/v1/import', '', 'vm:8428'].flatMap(findUrlSecrets)).toEqual([]);
    expect(maskSecrets('text', [])).toBe('text');
  });
});
