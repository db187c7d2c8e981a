/**
 * What a terminal would not show as it is: control characters, C1 included (0x9b begins an escape sequence as ESC [ does),
 * format characters (direction, width and tags: Unicode's Cf), line and paragraph separators, and halves of a character.
 */
const UNPRINTABLE = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
const UNPRINTABLE_IN_LINE = /[^\P{Cc}\n]|[\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;
/** What a cut may leave at the end: half of a character, or part of an escape. */
const HALF = /[\ud800-\udbff]$|\\u?[0-9a-f]{0,3}$/;
const SHORT_ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * Returns a text on one line, with escapes of JSON for what a terminal would obey or not show: a text of somebody else must
 * not move the cursor, change a color, or look like a line of its own. JSON stays JSON of the same value.
 */
export function escapeControls(text: string): string {
  return text.replace(UNPRINTABLE, toEscape);
}

/** Returns a text with its lines as they are, and everything else as escapeControls() has it. */
export function escapeLines(text: string): string {
  return text.replace(UNPRINTABLE_IN_LINE, toEscape);
}

/** Returns the beginning of a text of somebody else on one line, for a message: escaped, and cut to `maxLength`. */
export function toExcerpt(text: string, maxLength: number): string {
  // Cut first: to escape 4 MiB for a message of a line would be in vain.
  const start = text.length > maxLength ? text.slice(0, maxLength).replace(HALF, '') : text;
  const escaped = escapeControls(start.replace(/\s+/g, ' ').trim());
  if (start === text && escaped.length <= maxLength) return escaped;
  return `${escaped.slice(0, maxLength).replace(HALF, '')}…`;
}

/** Returns a value with every text in it as toExcerpt() has it, names of properties included. */
export function toPrintable<T>(value: T, maxLength: number): T {
  if (typeof value === 'string') return toExcerpt(value, maxLength) as T;
  if (Array.isArray(value)) return value.map((each: unknown) => toPrintable(each, maxLength)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([name, each]) => [
    toExcerpt(name, maxLength),
    toPrintable<unknown>(each, maxLength),
  ]);
  return Object.fromEntries(entries) as T;
}

function toEscape(character: string): string {
  const short = SHORT_ESCAPES[character];
  if (short !== undefined) return short;
  return Array.from({ length: character.length }, (_, at) => `\\u${toHex(character.charCodeAt(at))}`).join('');
}

function toHex(code: number): string {
  return code.toString(16).padStart(4, '0');
}
