import { suggest } from './nearest.ts';

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };
/** For help texts. */
export const DURATION_UNITS = Object.keys(durationUnitsMs).join(', ');
const sizeUnits: Readonly<Record<string, number>> = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 1024,
  MiB: 1024 ** 2,
  GiB: 1024 ** 3,
};

/** Parses a configuration value, and describes what it must be. */
export interface ValueFormat<T> {
  /** Completes the sentence "must be …". */
  readonly expected: string;
  /** Returns the value; undefined if the text is not of this format. */
  parse(text: string): T | undefined;
  /** Completes the sentence for a text that has a problem of its own; undefined if `expected` is enough. */
  problem?(text: string): string | undefined;
}

function parseQuantity(text: string, units: Readonly<Record<string, number>>): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([a-zA-Z]+)$/.exec(text.trim());
  const unit = match?.[2] ?? '';
  // Own names only: "5constructor" would find what every object has, and be NaN.
  const value = match === null || !Object.hasOwn(units, unit) ? NaN : Number(match[1]) * units[unit]!;
  // Enough digits make Infinity.
  return Number.isFinite(value) ? value : undefined;
}

/** `500ms`, `30s`, `5m`, `1h`, `2d` → milliseconds. A bare 0 needs no unit; any other number does. */
export const duration: ValueFormat<number> = {
  expected: 'a duration with its unit, such as 500ms, 30s, 5m or 1h',
  parse: (text) => (text.trim() === '0' ? 0 : parseQuantity(text, durationUnitsMs)),
};

/** `64MiB`, `256KiB`, `1GB` → bytes. */
export const size: ValueFormat<number> = {
  expected: 'a size with its unit, such as 256KiB or 64MiB',
  parse: (text) => parseQuantity(text, sizeUnits),
};

/** `64KiB/s` → bytes a second; empty for none. */
export const rate: ValueFormat<number> = {
  expected: 'a size a second, such as 64KiB/s',
  parse(text) {
    const given = text.trim();
    if (given === '') return 0;
    return given.endsWith('/s') ? size.parse(given.slice(0, -2)) : undefined;
  },
};

/** Any text that is not empty. */
export const text: ValueFormat<string> = {
  expected: 'a text that is not empty',
  parse: (value) => (value.trim() === '' ? undefined : value.trim()),
};

/** The path of a file, or empty for none. */
export const optionalText: ValueFormat<string> = {
  expected: 'a text, or empty for none',
  parse: (value) => value.trim(),
};

/** The user of basic authentication (RFC 7617), or empty for none. */
export const userName: ValueFormat<string> = {
  expected: 'a user without a colon and control characters, or empty for none',
  parse: (value) => (/[:\p{Cc}\ufffd]/u.test(value.trim()) ? undefined : value.trim()),
};

/** `true` or `false` (also yes/no, on/off, 1/0). */
export const flag: ValueFormat<boolean> = {
  expected: 'true or false',
  parse: (value) =>
    /^(true|yes|on|1)$/i.test(value.trim()) ? true : /^(false|no|off|0)$/i.test(value.trim()) ? false : undefined,
};

/** A whole number from `min` to `max`. */
export function integer(min: number, max: number): ValueFormat<number> {
  return {
    expected: `a whole number from ${min} to ${max}`,
    parse: (value) => within(/^\s*-?\d+\s*$/.test(value) ? Number(value) : undefined, min, max),
  };
}

/** A decimal number from `min` to `max`. */
export function decimal(min: number, max: number): ValueFormat<number> {
  return {
    expected: `a number from ${min} to ${max}`,
    parse: (value) => within(/^\s*-?\d+(\.\d+)?\s*$/.test(value) ? Number(value) : undefined, min, max),
  };
}

/** A duration from `minMs` to `maxMs`; `bounds` describes them. */
export function durationWithin(minMs: number, maxMs: number, bounds: string): ValueFormat<number> {
  return {
    expected: `${duration.expected}, ${bounds}`,
    parse: (value) => within(duration.parse(value), minMs, maxMs),
  };
}

/** The same, or 0 for never. */
export function durationWithinOrZero(minMs: number, maxMs: number, bounds: string): ValueFormat<number> {
  const other = durationWithin(minMs, maxMs, bounds);
  return {
    expected: `${other.expected}, or 0`,
    parse: (value) => (duration.parse(value) === 0 ? 0 : other.parse(value)),
  };
}

/** A size from `min` to `max` bytes; `bounds` describes them. */
export function sizeWithin(min: number, max: number, bounds: string): ValueFormat<number> {
  return { expected: `${size.expected}, ${bounds}`, parse: (value) => within(size.parse(value), min, max) };
}

/** One of a few words. */
export function oneOf<const T extends string>(...words: readonly T[]): ValueFormat<T> {
  const expected = `one of ${words.join(', ')}`;
  return {
    expected,
    parse: (value) => words.find((word) => word === value.trim()),
    problem: (value) => `must be ${expected}${suggest(value.trim(), words)}`,
  };
}

/** Words of a known set, split on white space or commas. */
export function wordList<T extends string>(known: readonly T[]): ValueFormat<readonly T[]> {
  const expected = `a list of these, split on white space: ${known.join(', ')}`;
  const split = (value: string): string[] => value.split(/[\s,]+/).filter((word) => word !== '');
  const isKnown = (word: string): word is T => (known as readonly string[]).includes(word);
  return {
    expected,
    parse(value) {
      const words = split(value);
      return words.length > 0 && words.every(isKnown) ? [...new Set(words)] : undefined;
    },
    problem: (value) => `must be ${expected}${suggest(split(value).find((word) => !isKnown(word)) ?? '', known)}`,
  };
}

/** Regular expressions split on white space, anchored where they are used; may be empty. */
export const patterns: ValueFormat<readonly string[]> = {
  expected: 'regular expressions split on white space',
  parse(value) {
    const words = value.split(/\s+/).filter((word) => word !== '');
    return words.every(isPattern) ? words : undefined;
  },
};

/** What is wrong with an address that parses and cannot be sent. */
export const RAW_PERCENT = 'has a user or a password with a % that begins no escape; write it as %25';

/** An http or https address. */
export const httpUrl: ValueFormat<string> = {
  expected: 'an http:// or https:// address',
  problem: findRawPercent,
  parse: (value) => (isHttpUrl(value.trim()) ? value.trim() : undefined),
};

/** An http or https address, or empty for none. */
export const optionalHttpUrl: ValueFormat<string> = {
  expected: 'an http:// or https:// address, or empty',
  problem: findRawPercent,
  parse: (value) => (value.trim() === '' ? '' : httpUrl.parse(value)),
};

function within(value: number | undefined, min: number, max: number): number | undefined {
  return value !== undefined && value >= min && value <= max ? value : undefined;
}

function isPattern(word: string): boolean {
  try {
    // By itself: "a)|(?:b" would be valid between the brackets that anchor it, and no longer be anchored.
    return new RegExp(word) instanceof RegExp;
  } catch {
    return false;
  }
}

function isHttpUrl(value: string): boolean {
  return URL.canParse(value) && /^https?:$/.test(new URL(value).protocol) && isSendable(new URL(value));
}

/** Returns what is wrong with the user or the password in a text; undefined if that is not what is wrong. */
export function findRawPercent(text: string): string | undefined {
  return URL.canParse(text.trim()) && !isSendable(new URL(text.trim())) ? RAW_PERCENT : undefined;
}

/** Returns whether the user and the password of an address can be sent: a `%` in them begins an escape. */
export function isSendable({ username, password }: URL): boolean {
  try {
    decodeURIComponent(`${username}:${password}`);
    return true;
  } catch {
    return false;
  }
}
