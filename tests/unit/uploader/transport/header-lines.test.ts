import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { parseHeaderLines } from '../../../../uploader/src/transport/header-lines.ts';

test.each<[string, string, Record<string, string>]>([
  ['one line', 'X-Scope-OrgID: tenant-7', { 'x-scope-orgid': 'tenant-7' }],
  ['several, with blank lines and comments', '# team a\n\nX-A: 1\n  # more\nX-B:2\n', { 'x-a': '1', 'x-b': '2' }],
  ['line ends and a byte order mark of Windows', '\ufeffX-A: 1\r\nX-B: 2\r\n', { 'x-a': '1', 'x-b': '2' }],
  ['blanks, colons and # in a value', 'X-A: \t a: b # c \t', { 'x-a': 'a: b # c' }],
  ['Authorization of a scheme of its own', 'Authorization: ApiKey abc=', { authorization: 'ApiKey abc=' }],
  ['a name that every object has', 'constructor: a\n__proto__: b', JSON.parse('{"constructor":"a","__proto__":"b"}')],
  ['a value of 8,000 bytes', `X-A: ${'a'.repeat(8_000)}`, { 'x-a': 'a'.repeat(8_000) }],
])('header lines: %s', (_, text, headers) => expect(parseHeaderLines(text)).toEqual(headers));

test.each([
  ['nothing', '', 'holds no header; write lines of "Name: value"'],
  ['comments alone', '# X-A: 1\r\n', 'holds no header'],
  ['a line without a colon', 'X-A: 1\nsecret', 'line 2 is not "Name: value"'],
  ['a line that goes on in the next', 'X-A: 1\n secret: 2', 'line 2 is not "Name: value"'],
  ['no name', ': secret', 'line 1 is not "Name: value"'],
  ['a blank before the colon', 'X-A : secret', 'line 1 is not "Name: value"'],
  ['a name that is none', 'X(A): secret', 'line 1 is not "Name: value"'],
  ['a name beyond ASCII', 'X-Ä: secret', 'line 1 is not "Name: value"'],
  ['no value', 'X-A:', 'line 1 (X-A) has no value'],
  ['a value beyond ASCII', 'X-A: sécret', 'line 1 (X-A) has a value with characters other than printable ASCII'],
  ['a lone carriage return', 'X-A: secret\rX-B: 1', 'line 1 (X-A) has a value with characters other than'],
  ['a line separator of Unicode', 'X-A: secret\u2028X-B: 1', 'line 1 (X-A) has a value with characters other than'],
  ['a NUL', 'X-A: secret\0', 'line 1 (X-A) has a value with characters other than'],
  ['a name twice', 'X-A: 1\nx-a: secret', 'line 2 (x-a) is there twice; remove one'],
  ['10 KB', `X-A: ${'s'.repeat(10_000)}`, 'line 1 (X-A) has a value of 10000 bytes, servers refuse more than 8000'],
  [
    'many that are too long together',
    Array.from({ length: 3 }, (_, index) => `X-${index}: ${'s'.repeat(5_000)}`).join('\n'),
    'holds 15021 bytes of headers, servers refuse more than 12000',
  ],
])('header lines: refuses %s, and not with the value', (_, text, message) => {
  expect(() => parseHeaderLines(text)).toThrow(message);
  expect(() => parseHeaderLines(text)).not.toThrow(/s[eé]cret|sssss/);
});

test.each([
  ...['Host', 'content-length', 'Content-Encoding', 'CONTENT-TYPE', 'Transfer-Encoding', 'Connection', 'User-Agent'],
  ...['X-Prometheus-Remote-Write-Version', 'X-Prometheus-Remote-Write-Samples-Written', 'Accept-Encoding', 'Expect'],
  ...['If-None-Match', 'TE', 'Trailer', 'Upgrade', 'Range', 'Keep-Alive', 'Proxy-Connection'],
])('header lines: refuses %s, which the program itself sets', (name) =>
  expect(() => parseHeaderLines(`X-A: 1\n${name}: secret`)).toThrow(
    `line 2 (${name}) is set by the program itself; remove it`,
  ),
);

test('header lines: refuses the password of a proxy, and says where it goes', () =>
  expect(() => parseHeaderLines('Proxy-Authorization: Basic x')).toThrow('into the address of the proxy (http_proxy'));

test('header lines: refuses Authorization beside another credential', () =>
  expect(() => parseHeaderLines('authorization: secret', 'THUGSHELLS_REMOTE_TOKEN_FILE')).toThrow(
    'line 1 (authorization) cannot be sent beside THUGSHELLS_REMOTE_TOKEN_FILE; remove one of them',
  ));

test('header lines: whatever a text holds, no header has a line end or a name that is not lower case', () => {
  const texts = fc.string({
    unit: fc.constantFrom('X', 'a', '-', ':', ' ', '\r', '\n', '\t', '#', 'é', '\u2028', '\0'),
  });
  fc.assert(
    fc.property(texts, (text) => {
      let headers: Readonly<Record<string, string>> = {};
      try {
        headers = parseHeaderLines(text);
      } catch (error) {
        expect((error as Error).message).toMatch(/^(line \d+ |holds )/);
      }
      for (const [name, value] of Object.entries(headers)) {
        expect(name).toMatch(/^[a-z#-]+$/);
        expect(value).toMatch(/^[!-~]([ -~]*[!-~])?$/);
      }
    }),
    { numRuns: 2_000 },
  );
});
