import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { CLOSING, fault, LineScanner, OPENING, QUOTE } from './scanner.ts';

/** The names that a sample's line begins with. */
export interface SeriesPart {
  readonly name: string;
  /** Without those of an empty value, which mean the same as none. */
  readonly labels: Labels;
}

const COMMA = 44;
const EQUALS = 61;
const NO_LABELS: Labels = Object.freeze({});

/**
 * The series of texts that are read again and again: a scrape has the same ones as the one before, and to find one takes a
 * fraction of reading its labels.
 */
export class KnownSeries {
  readonly #parts = new Map<string, SeriesPart>();
  readonly #most: number;

  /** @param most that are kept; with one more all are forgotten, so that names that change every time do not add up */
  constructor(most: number) {
    this.#most = most;
  }

  /** The series that a line begins with; the line is behind it then. */
  partOf(line: LineScanner): SeriesPart {
    const end = line.seriesEnd();
    if (end === undefined) return seriesPart(line);
    const written = line.upTo(end);
    const known = this.#parts.get(written);
    if (known !== undefined) {
      line.at = end;
      return known;
    }
    // Of a copy: a piece of a text keeps all of it in memory.
    const copy = Buffer.from(written).toString();
    const own = new LineScanner(copy);
    own.enter(0, copy.length);
    const part = seriesPart(own);
    line.at += own.at;
    if (own.isAtEnd) this.#keep(copy, part);
    return part;
  }

  #keep(written: string, part: SeriesPart): void {
    if (this.#parts.size >= this.#most) this.#parts.clear();
    this.#parts.set(written, part);
  }
}

/** `name`, `name{label="value",…}`, or as of version 1.0.0 of Prometheus' format `{"any name","any label"="value",…}`. */
export function seriesPart(line: LineScanner): SeriesPart {
  const name = line.metricName();
  const end = line.at;
  line.skipBlanks();
  if (line.next !== OPENING) {
    line.at = end;
    if (name === '') throw fault('no name of a metric');
    return { name, labels: NO_LABELS };
  }
  const inBraces = labelSet(line);
  if (name !== '' && inBraces.name !== undefined) throw fault('a second name of the metric');
  const only = inBraces.name ?? name;
  if (only === '') throw fault('no name of a metric');
  return { name: only, labels: inBraces.labels };
}

/** What stands in braces: labels, and the name of the metric where that is in quotes. */
export function labelSet(line: LineScanner): { readonly name: string | undefined; readonly labels: Labels } {
  const labels: Record<string, string> = {};
  const seen: string[] = [];
  let name: string | undefined;
  line.takes(OPENING);
  for (;;) {
    line.skipBlanks();
    if (line.takes(CLOSING)) return { name, labels };
    const isQuoted = line.next === QUOTE;
    const word = isQuoted ? line.quotedText() : line.labelName();
    line.skipBlanks();
    if (line.takes(EQUALS)) {
      if (word === '') throw fault('a label without a name');
      if (seen.includes(word)) throw fault(`the label "${word}" twice`);
      seen.push(word);
      add(labels, word, labelValue(line, word));
    } else if (isQuoted && name === undefined) {
      name = word;
    } else {
      throw fault(word === '' ? 'no name of a label where one is expected' : `no = after the label "${word}"`);
    }
    line.skipBlanks();
    if (!line.takes(COMMA) && line.next !== CLOSING) throw fault(`neither , nor } after the label "${word}"`);
  }
}

function labelValue(line: LineScanner, name: string): string {
  line.skipBlanks();
  if (line.next !== QUOTE) throw fault(`the value of the label "${name}" is not in double quotes`);
  return line.quotedText();
}

/** An assignment to `__proto__` would be lost. */
function add(labels: Record<string, string>, name: string, value: string): void {
  if (value === '') return;
  if (name === '__proto__') Object.defineProperty(labels, name, { value, enumerable: true });
  else labels[name] = value;
}
