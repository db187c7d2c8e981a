/** Headers by name, in lower case. */
export type HeaderLines = Readonly<Record<string, string>>;

/** RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+.^_`|~0-9a-z-]+$/i;
/** Printable ASCII: what is beyond is read in another way by each server. */
const VALUE = /^[\x20-\x7e]+$/;
/** nginx refuses a line of more than 8 KiB by default. */
const MAX_VALUE_BYTES = 8_000;
/** Node.js refuses a head of more than 16 KiB by default. */
const MAX_BYTES = 12_000;

/** Of the connection, of the message and of this program: a second one would change what the receiver reads. */
const RESERVED: ReadonlySet<string> = new Set([
  ...[
    'host',
    'connection',
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'transfer-encoding',
    'upgrade',
    'expect',
  ],
  ...['content-length', 'content-encoding', 'content-type', 'content-range', 'accept-encoding', 'user-agent', 'range'],
]);
const RESERVED_PREFIX = /^(x-prometheus-remote-write-|if-)/;

/**
 * Parses lines of `Name: value`; blank lines and those that begin with `#` are left out.
 *
 * @param takenBy what sets the header Authorization; undefined if nothing does
 * @throws Error that names the line and the header, and never its value
 */
export function parseHeaderLines(text: string, takenBy?: string): HeaderLines {
  const headers = new Map<string, string>();
  for (const [index, line] of text
    .replace(/^\ufeff/, '')
    .split(/\r?\n/)
    .entries()) {
    if (/^\s*(#.*)?$/s.test(line)) continue;
    const fail = (problem: string): Error => new Error(`line ${index + 1} ${problem}`);
    const [, name = '', value = ''] = /^([^:\s]+):(.*)$/s.exec(line) ?? [];
    if (!NAME.test(name)) throw fail('is not "Name: value"');
    const problem = findNameProblem(name.toLowerCase(), takenBy) ?? findValueProblem(value.trim());
    if (problem !== undefined) throw fail(`(${name}) ${problem}`);
    if (headers.has(name.toLowerCase())) throw fail(`(${name}) is there twice; remove one`);
    headers.set(name.toLowerCase(), value.trim());
  }
  if (headers.size === 0) throw new Error('holds no header; write lines of "Name: value"');
  const bytes = [...headers].reduce((sum, [name, value]) => sum + name.length + value.length + 4, 0);
  if (bytes > MAX_BYTES) throw new Error(`holds ${bytes} bytes of headers, servers refuse more than ${MAX_BYTES}`);
  return Object.fromEntries(headers);
}

function findNameProblem(name: string, takenBy: string | undefined): string | undefined {
  if (name === 'proxy-authorization')
    return 'is for a proxy: write user and password into the address of the proxy (http_proxy, https_proxy)';
  if (RESERVED.has(name) || RESERVED_PREFIX.test(name)) return 'is set by the program itself; remove it';
  if (name !== 'authorization' || takenBy === undefined) return undefined;
  return `cannot be sent beside ${takenBy}; remove one of them`;
}

function findValueProblem(value: string): string | undefined {
  if (value === '') return 'has no value';
  if (!VALUE.test(value)) return 'has a value with characters other than printable ASCII';
  return value.length > MAX_VALUE_BYTES
    ? `has a value of ${value.length} bytes, servers refuse more than ${MAX_VALUE_BYTES}`
    : undefined;
}
