/**
 * The boundary to what the database holds as JSON or as a time: the only module that parses stored JSON. A column has the
 * type that the program gave it, until a bit flips or somebody edits the row; SQLite keeps any value in any column. So
 * each one is checked where it is read:
 *
 *   decoration      (counters of the programs, times for health) has a default, which is logged once; the next write of
 *                   the row replaces the value
 *   what has meaning (what is provisional, what a salvage skipped, the labels of a series) is damage of that row: its
 *                   reader takes what loses no sample, and logs it
 */
import type { Logger } from '../logging/types.ts';
import type { HistogramState } from '../metrics/histogram.ts';

/** Returns whether a value has a type; for values that come from the database. */
export type Guard<T> = (value: unknown) => value is T;

/** The guards of an object's members. */
type MemberGuards<T> = { readonly [Name in keyof T]-?: (value: unknown) => boolean };

/** The largest time of a Date, Unix milliseconds (ECMA-262, 21.4.1.1): beyond it toISOString() throws. */
export const MAX_DATE_MS = 8.64e15;

export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

/** Whether a value is a finite number that is not negative. */
export function isAmount(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** Whether a value is a whole number that is not negative and that a double holds exactly. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** Whether a value is a time in Unix milliseconds that can be formatted. */
export function isTime(value: unknown): value is number {
  return isAmount(value) && value <= MAX_DATE_MS;
}

export function isOneOf<T>(values: readonly T[]): Guard<T> {
  return (value): value is T => values.some((each) => each === value);
}

export function isNullOr<T>(is: Guard<T>): Guard<T | null> {
  return (value): value is T | null => value === null || is(value);
}

export function isOptional<T>(is: Guard<T>): Guard<T | undefined> {
  return (value): value is T | undefined => value === undefined || is(value);
}

export function isListOf<T>(is: Guard<T>): Guard<readonly T[]> {
  return (value): value is readonly T[] => Array.isArray(value) && value.every((each) => is(each));
}

/** Whether a value is an object with these members; it may have others. */
export function isObjectOf<T extends object>(members: MemberGuards<T>): Guard<T> {
  const guards = Object.entries<(value: unknown) => boolean>(members);
  return (value): value is T =>
    isObject(value) && guards.every(([name, is]) => is(Object.hasOwn(value, name) ? value[name] : undefined));
}

/** Whether a value is an object of texts, such as the labels of a series. */
export function isTextByName(value: unknown): value is Readonly<Record<string, string>> {
  return isObject(value) && Object.values(value).every(isText);
}

/** Whether a value is a list of ranges of ids, in any order. */
export function isRangeList(value: unknown): value is readonly (readonly [number, number])[] {
  return (
    Array.isArray(value) &&
    value.every((range) => {
      if (!Array.isArray(range) || range.length !== 2) return false;
      const [first, last] = range as unknown[];
      return isCount(first) && isCount(last) && first <= last;
    })
  );
}

/** Whether a value is a histogram over some bounds. */
export function isHistogram(bounds: readonly number[]): Guard<HistogramState> {
  const isState = isObjectOf<HistogramState>({ counts: isListOf(isCount), sum: isAmount });
  return (value): value is HistogramState => isState(value) && value.counts.length === bounds.length + 1;
}

/** Parses a stored text; returns undefined if it is no text, no JSON, or JSON of another type. */
export function parseStored<T>(stored: unknown, is: Guard<T>): T | undefined {
  if (!isText(stored)) return undefined;
  try {
    const value = parseJson(stored);
    return is(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** A name of a member with an escape in it. Within a text each quotation mark follows a backslash, none a comma or a brace. */
const ESCAPED_NAME = /(?<=[{,]\s*)"(?=[^"]*\\)(?:[^"\\]|\\.)*"(?=\s*:)/gs;

/**
 * Parses JSON. JSON.parse() of Node.js 24.21 returns `a\` for the name `a` and a line feed, if it knows an object with the name
 * `a\`: two series would become one. So names with an escape in them are parsed one by one.
 */
export function parseJson(text: string): unknown {
  let placeholder = 'name ';
  while (text.includes(placeholder)) placeholder += '_';
  const names: string[] = [];
  const plain = text.replace(ESCAPED_NAME, (name) => `"${placeholder}${names.push(JSON.parse(name) as string) - 1}"`);
  if (names.length === 0) return JSON.parse(text);
  const restore = (name: string): string => names[Number(name.slice(placeholder.length))] ?? name;
  return JSON.parse(plain, (_, value: unknown) =>
    isObject(value)
      ? Object.fromEntries(
          Object.entries(value).map(([name, of]) => [name.startsWith(placeholder) ? restore(name) : name, of]),
        )
      : value,
  );
}

/** Formats Unix milliseconds as RFC 3339, or as a plain number if they are beyond the range of dates; never throws. */
export function formatTime(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toISOString();
}

/** Where a value stands in its table. */
export interface StoredPlace {
  readonly column: string;
  /** What names the row, if the table has several. */
  readonly row?: string;
}

/** Reads the values of a table that have a default. Each one that is unreadable is logged once, and again after it was readable. */
export class StoredValues {
  readonly #table: string;
  readonly #logger: Logger;
  readonly #unreadable = new Set<string>();

  constructor(table: string, logger: Logger) {
    this.#table = table;
    this.#logger = logger;
  }

  /** Returns a value, or the default if it has another type. */
  read<T>(place: StoredPlace, stored: unknown, is: Guard<T>, byDefault: T): T {
    const isReadable = is(stored);
    this.#note(place, isReadable);
    return isReadable ? stored : byDefault;
  }

  /** Returns the parsed JSON of a text, or the default if it is none or has another type. */
  parse<T>(place: StoredPlace, stored: unknown, is: Guard<T>, byDefault: T): T {
    const value = parseStored(stored, is);
    this.#note(place, value !== undefined);
    return value ?? byDefault;
  }

  #note({ column, row }: StoredPlace, isReadable: boolean): void {
    const key = `${column} ${row ?? ''}`;
    if (isReadable) this.#unreadable.delete(key);
    if (isReadable || this.#unreadable.has(key)) return;
    this.#unreadable.add(key);
    this.#logger.warn('stored value unreadable, default used', { table: this.#table, column, row });
  }
}
