import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { CLOSING, createExpositionError, LineScanner, OPENING, QUOTE } from './scanner.ts';

/** The series that the line of a sample begins with. */
export interface ParsedSeries {
  readonly name: string;
  /** Labels without those of an empty value, which are equivalent to missing ones. */
  readonly labels: Labels;
}

const COMMA = 44;
const EQUALS = 61;
const NO_LABELS: Labels = Object.freeze({});

/**
 * Caches parsed series by their text: a scrape has the same ones as the one before, and a lookup takes a fraction of the
 * time of parsing the labels.
 */
export class ParsedSeriesCache {
  readonly #series = new Map<string, ParsedSeries>();
  readonly #maxSeries: number;

  /** @param maxSeries number of series; one more clears the cache, so that names that change each time do not add up */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  /** Parses the series at the beginning of a line, and moves the scanner after it. */
  parse(line: LineScanner): ParsedSeries {
    const end = line.findSeriesEnd();
    if (end === undefined) return parseSeries(line);
    const written = line.sliceTo(end);
    const known = this.#series.get(written);
    if (known !== undefined) {
      line.at = end;
      return known;
    }
    // Parsed from a copy: a slice would keep the whole text in memory.
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

/** Parses `name`, `name{label="value",…}`, or, since version 1.0.0, `{"any name","any label"="value",…}`. */
export function parseSeries(line: LineScanner): ParsedSeries {
  const name = line.readMetricName();
  const end = line.at;
  line.skipBlanks();
  if (line.nextCode !== OPENING) {
    line.at = end;
    if (name === '') throw createExpositionError('no metric name');
    return { name, labels: NO_LABELS };
  }
  const inBraces = parseLabelSet(line);
  if (name !== '' && inBraces.name !== undefined) throw createExpositionError('a second metric name');
  const only = inBraces.name ?? name;
  if (only === '') throw createExpositionError('no metric name');
  return { name: only, labels: inBraces.labels };
}

/** Parses labels in braces, and the metric name if it is among them in quotes. */
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
      if (seen.includes(word)) throw createExpositionError(`duplicate label "${word}"`);
      seen.push(word);
      addLabel(labels, word, parseLabelValue(line, word));
    } else if (isQuoted && name === undefined) {
      name = word;
    } else {
      throw createExpositionError(word === '' ? 'expected a label name' : `no = after the label "${word}"`);
    }
    line.skipBlanks();
    if (!line.take(COMMA) && line.nextCode !== CLOSING)
      throw createExpositionError(`no , or } after the label "${word}"`);
  }
}

function parseLabelValue(line: LineScanner, name: string): string {
  line.skipBlanks();
  if (line.nextCode !== QUOTE) throw createExpositionError(`the value of the label "${name}" is not in double quotes`);
  return line.readQuotedText();
}

/** Adds a label; an assignment to `__proto__` would be lost. */
function addLabel(labels: Record<string, string>, name: string, value: string): void {
  if (value === '') return;
  if (name === '__proto__') Object.defineProperty(labels, name, { value, enumerable: true });
  else labels[name] = value;
}
