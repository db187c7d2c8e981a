import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { CLOSING, createExpositionError, LineScanner, OPENING, QUOTE } from './scanner.ts';

/** The names that a sample's line begins with. */
export interface ParsedSeries {
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
export class ParsedSeriesCache {
  readonly #series = new Map<string, ParsedSeries>();
  readonly #maxSeries: number;

  /** @param maxSeries that are kept; with one more all are forgotten, so that names that change every time do not add up */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  /** The series that a line begins with; the line is behind it then. */
  parse(line: LineScanner): ParsedSeries {
    const end = line.findSeriesEnd();
    if (end === undefined) return parseSeries(line);
    const written = line.sliceTo(end);
    const known = this.#series.get(written);
    if (known !== undefined) {
      line.at = end;
      return known;
    }
    // Of a copy: a piece of a text keeps all of it in memory.
    const copy = Buffer.from(written).toString();
    const own = new LineScanner(copy);
    own.enter(0, copy.length);
    const series = parseSeries(own);
    line.at += own.at;
    if (own.isAtEnd) this.#keep(copy, series);
    return series;
  }

  #keep(written: string, series: ParsedSeries): void {
    if (this.#series.size >= this.#maxSeries) this.#series.clear();
    this.#series.set(written, series);
  }
}

/** `name`, `name{label="value",…}`, or as of version 1.0.0 of Prometheus' format `{"any name","any label"="value",…}`. */
export function parseSeries(line: LineScanner): ParsedSeries {
  const name = line.readMetricName();
  const end = line.at;
  line.skipBlanks();
  if (line.nextCode !== OPENING) {
    line.at = end;
    if (name === '') throw createExpositionError('no name of a metric');
    return { name, labels: NO_LABELS };
  }
  const inBraces = parseLabelSet(line);
  if (name !== '' && inBraces.name !== undefined) throw createExpositionError('a second name of the metric');
  const only = inBraces.name ?? name;
  if (only === '') throw createExpositionError('no name of a metric');
  return { name: only, labels: inBraces.labels };
}

/** What stands in braces: labels, and the name of the metric where that is in quotes. */
export function parseLabelSet(line: LineScanner): { readonly name: string | undefined; readonly labels: Labels } {
  const labels: Record<string, string> = {};
  const seen: string[] = [];
  let name: string | undefined;
  line.take(OPENING);
  for (;;) {
    line.skipBlanks();
    if (line.take(CLOSING)) return { name, labels };
    const isQuoted = line.nextCode === QUOTE;
    const word = isQuoted ? line.readQuotedText() : line.readLabelName();
    line.skipBlanks();
    if (line.take(EQUALS)) {
      if (word === '') throw createExpositionError('a label without a name');
      if (seen.includes(word)) throw createExpositionError(`the label "${word}" twice`);
      seen.push(word);
      addLabel(labels, word, parseLabelValue(line, word));
    } else if (isQuoted && name === undefined) {
      name = word;
    } else {
      throw createExpositionError(
        word === '' ? 'no name of a label where one is expected' : `no = after the label "${word}"`,
      );
    }
    line.skipBlanks();
    if (!line.take(COMMA) && line.nextCode !== CLOSING)
      throw createExpositionError(`neither , nor } after the label "${word}"`);
  }
}

function parseLabelValue(line: LineScanner, name: string): string {
  line.skipBlanks();
  if (line.nextCode !== QUOTE) throw createExpositionError(`the value of the label "${name}" is not in double quotes`);
  return line.readQuotedText();
}

/** An assignment to `__proto__` would be lost. */
function addLabel(labels: Record<string, string>, name: string, value: string): void {
  if (value === '') return;
  if (name === '__proto__') Object.defineProperty(labels, name, { value, enumerable: true });
  else labels[name] = value;
}
