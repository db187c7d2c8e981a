import { AgentError } from '@thugshells/shared/errors.ts';

/** What a character may be, as bits: the first or a later one of a metric's name, of a label's name, of a number. */
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

const BACKSLASH = 92;
const SPACE = 32;
const TAB = 9;
export const OPENING = 123;
export const CLOSING = 125;
export const QUOTE = 34;

/** Integers of up to this many digits are exact as they are added up. */
const EXACT_DIGITS = 15;

/**
 * One line of an exposition text, read from left to right: the grammar's words are its methods. It is used for one line
 * after the other, and copies nothing but what it returns.
 */
export class LineScanner {
  readonly #text: string;
  #end = 0;
  at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** Goes to a line: its first character, and the place behind its last one. */
  enter(start: number, end: number): void {
    this.at = start;
    this.#end = end;
  }

  get isAtEnd(): boolean {
    return this.at >= this.#end;
  }

  /** The code of the character that is next; NaN at the end. */
  get nextCode(): number {
    return this.at < this.#end ? this.#text.charCodeAt(this.at) : NaN;
  }

  /** What is left of the line. */
  readRest(): string {
    return this.#text.slice(this.at, this.#end);
  }

  /** Passes blanks; how many there were. */
  skipBlanks(): number {
    const start = this.at;
    while (this.nextCode === SPACE || this.nextCode === TAB) this.at += 1;
    return this.at - start;
  }

  /** Passes a character if it is next. */
  take(code: number): boolean {
    if (this.nextCode !== code) return false;
    this.at += 1;
    return true;
  }

  /** The name of a metric; empty where none begins here. */
  readMetricName(): string {
    return this.#readName(NAME_START, NAME_PART);
  }

  /** The name of a label; empty where none begins here. */
  readLabelName(): string {
    return this.#readName(LABEL_START, LABEL_PART);
  }

  /** A text in double quotes, in which `\\`, `\"` and `\n` stand for a backslash, a quote and a line feed. */
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
    throw createExpositionError('a quote that is not closed');
  }

  /** A word up to the next blank or the end. */
  readWord(): string {
    const start = this.at;
    while (!this.isAtEnd && this.nextCode !== SPACE && this.nextCode !== TAB) this.at += 1;
    return this.#text.slice(start, this.at);
  }

  /**
   * The place behind the names that a sample's line begins with, told by blanks, braces and quotes alone; undefined where
   * a quote or a brace is open.
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

  /** What stands between here and a place. */
  sliceTo(end: number): string {
    return this.#text.slice(this.at, end);
  }

  /**
   * A number as Go's ParseFloat reads it, without hexadecimals and underscores; undefined where none stands here.
   * What is too large for a float becomes infinite.
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

/** Any other character after a backslash stays with it, as the OpenMetrics specification has it. */
function unescape(text: string): string {
  return text.replace(/\\([\\"n])/g, (_, escaped: string) => (escaped === 'n' ? '\n' : escaped));
}

/** What is wrong with a line; the reader adds its number. */
export function createExpositionError(what: string): AgentError {
  return new AgentError(what, { code: 'EXPOSITION_MALFORMED' });
}
