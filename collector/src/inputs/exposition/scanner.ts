import { AgentError } from '@thugshells/shared/errors.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

/** Classes of characters as bits: first and later characters of a metric name and of a label name, and of a number. */
const NAME_START = 1;
const NAME_PART = 2;
const LABEL_START = 4;
const LABEL_PART = 8;
const NUMBER_PART = 16;

const classes = new Uint8Array(128);
const mark = (characters: string, bits: number): void => {
  for (const character of characters) classes[character.charCodeAt(0)]! |= bits;
};
mark('abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_', NAME_START | NAME_PART | LABEL_START | LABEL_PART);
mark(':', NAME_START | NAME_PART);
mark('0123456789', NAME_PART | LABEL_PART | NUMBER_PART);
mark('+-.eE', NUMBER_PART);

const MAX_MESSAGE_LENGTH = 200;

const BACKSLASH = 92;
const SPACE = 32;
const TAB = 9;
export const OPENING = 123;
export const CLOSING = 125;
export const QUOTE = 34;

/** Integers of up to this many digits are exact when computed digit by digit. */
const EXACT_DIGITS = 15;

/**
 * Scans one line of an exposition text from left to right, with a method for each token of the grammar. One scanner is
 * used for all lines of a text, and copies nothing but what it returns.
 */
export class LineScanner {
  readonly #text: string;
  #end = 0;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Moves to a line: `start` is its first character, `end` the position after its last one. */
  enter(start: number, end: number): void {
    this.at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  /** The code of the next character; NaN at the end of the line. */
  get nextCode(): number {
    return this.at < this.#end ? this.#text.charCodeAt(this.at) : NaN;
  }

  /** Returns the rest of the line. */
  readRest(): string {
    return this.#text.slice(this.at, this.#end);
  }

  /** Skips blanks and returns how many. */
  skipBlanks(): number {
    const start = this.at;
    while (this.nextCode === SPACE || this.nextCode === TAB) this.at += 1;
    return this.at - start;
  }

  /** Skips a character if it is next, and returns whether it was. */
  take(code: number): boolean {
    if (this.nextCode !== code) return false;
    this.at += 1;
    return true;
  }

  /** Reads a metric name; empty if there is none here. */
  readMetricName(): string {
    return this.#readName(NAME_START, NAME_PART);
  }

  /** Reads a label name; empty if there is none here. */
  readLabelName(): string {
    return this.#readName(LABEL_START, LABEL_PART);
  }

  /** Reads a text in double quotes, with `\\`, `\"` and `\n` as escapes for backslash, quote and line feed. */
  readQuotedText(): string {
    const start = this.at + 1;
    let isPlain = true;
    for (let place = start; place < this.#end; place++) {
      const code = this.#text.charCodeAt(place);
      if (code === BACKSLASH) {
        isPlain = false;
        place += 1;
      } else if (code === QUOTE) {
        this.at = place + 1;
        const text = this.#text.slice(start, place);
        return isPlain ? text : unescape(text);
      }
    }
    throw createExpositionError('unclosed quote');
  }

  /** Reads up to the next blank or the end of the line. */
  readWord(): string {
    const start = this.at;
    while (!this.isAtEnd && this.nextCode !== SPACE && this.nextCode !== TAB) this.at += 1;
    return this.#text.slice(start, this.at);
  }

  /**
   * Returns the position after the series of a sample, found by blanks, braces and quotes alone; undefined if a quote or a
   * brace is unclosed.
   */
  findSeriesEnd(): number | undefined {
    const text = this.#text;
    const end = this.#end;
    let place = this.at;
    for (
      let code = text.charCodeAt(place);
      place < end && code !== SPACE && code !== TAB && code !== OPENING;
      code = text.charCodeAt(place)
    )
      place += 1;
    const bareEnd = place;
    while (place < end && (text.charCodeAt(place) === SPACE || text.charCodeAt(place) === TAB)) place += 1;
    if (place >= end || text.charCodeAt(place) !== OPENING) return bareEnd;
    for (let isQuoted = false; place < end; place++) {
      const code = text.charCodeAt(place);
      if (code === QUOTE) isQuoted = !isQuoted;
      else if (code === BACKSLASH && isQuoted) place += 1;
      else if (code === CLOSING && !isQuoted) return place + 1;
    }
    return undefined;
  }

  /** Returns the text from here to a position. */
  sliceTo(end: number): string {
    return this.#text.slice(this.at, end);
  }

  /**
   * Reads a number as Go's ParseFloat does, without hexadecimals and underscores; undefined if there is none here. A
   * number that is too large becomes infinite.
   */
  readNumber(): number | undefined {
    const start = this.at;
    let integer = 0;
    for (let code = this.nextCode; code >= 48 && code <= 57; code = this.nextCode) {
      integer = integer * 10 + code - 48;
      this.at += 1;
    }
    const isWord = this.isAtEnd || this.nextCode === SPACE || this.nextCode === TAB;
    if (isWord && this.at > start && this.at - start <= EXACT_DIGITS) return integer;
    while (classes[this.nextCode]! & NUMBER_PART) this.at += 1;
    const rest = this.readWord();
    const word = this.#text.slice(start, this.at);
    if (rest !== '') return parseNamedNumber(word);
    const value = word === '' ? NaN : Number(word);
    return Number.isNaN(value) ? undefined : value;
  }

  #readName(startBits: number, partBits: number): string {
    const start = this.at;
    if (!(classes[this.nextCode]! & startBits)) return '';
    do this.at += 1;
    while (classes[this.nextCode]! & partBits);
    return this.#text.slice(start, this.at);
  }
}

function parseNamedNumber(word: string): number | undefined {
  const [, sign, name] = /^([+-]?)(nan|inf|infinity)$/i.exec(word) ?? [];
  if (name === undefined) return undefined;
  if (name.toLowerCase() === 'nan') return sign === '' ? NaN : undefined;
  return sign === '-' ? -Infinity : Infinity;
}

/** Decodes escapes; a backslash before any other character is kept, as OpenMetrics specifies. */
function unescape(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** Creates the error for a line; the reader adds its number. */
export function createExpositionError(message: string): AgentError {
  // It may have a name or a word of the text in it, which is as long as the writer liked.
  return new AgentError(toExcerpt(message, MAX_MESSAGE_LENGTH), { code: 'EXPOSITION_MALFORMED' });
}
