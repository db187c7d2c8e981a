import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { CLOSING, createExpositionError, LineScanner, OPENING, QUOTE } from './scanner.ts';

/** The series that the line of a sample begins with. */
export interface ParsedSeries {
  readonly name: string;
  /** Labels without those of an empty value, which are equivalent to missing ones. */
  readonly labels: Labels;
  /** The names of labels with an empty value, if there are any: a page that is honored is without those of its target. */
  readonly empty?: readonly string[];
}

/** What readLabelSet() adds labels to. */
interface FoundLabels {
  readonly labels: Record<string, string>;
  readonly empty: string[];
}

const COMMA = 44;
const EQUALS = 61;
/** No receiver keeps a hundred. A line of 4 MiB has 350,000, which would block the event loop for seconds. */
const MAX_LABELS = 1_000;
const NO_LABELS: Labels = Object.freeze({});

/** The names of the labels of one series, each once; one alone, as most series have, takes no more than itself. */
class LabelNames {
  #first: string | undefined;
  #others: Set<string> | undefined;
  #count = 0;

  add(name: string): void {
    if (name === this.#first || this.#others?.has(name) === true)
      throw createExpositionError(`duplicate label "${name}"`);
    this.#count += 1;
    if (this.#count > MAX_LABELS) throw createExpositionError(`a series of more than ${MAX_LABELS} labels`);
    if (this.#first === undefined) this.#first = name;
    else (this.#others ??= new Set()).add(name);
  }
}

/** Characters of the series in the cache together: as many as all series at their limit have on average, 300 each. */
const MAX_CHARACTERS = 2 * 1024 * 1024;
/** A longer series is not cached. */
const MAX_SERIES_LENGTH = 16 * 1024;

/**
 * Caches parsed series by their text: a scrape has the same ones as the one before, and a lookup takes a fraction of the
 * time of parsing the labels.
 */
export class ParsedSeriesCache {
  readonly #series = new Map<string, ParsedSeries>();
  readonly #maxSeries: number;
  #characters = 0;

  /** @param maxSeries number of series; one more clears the cache, so that names that change each time do not add up */
  constructor(maxSeries: number) {
    this.#maxSeries = maxSeries;
  }

  /** Characters of the series that are cached. */
  get characters(): number {
    return this.#characters;
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
    const copy = copyText(written);
    const own = new LineScanner(copy);
    own.enter(0, copy.length);
    const series = parseSeries(own);
    line.at += own.at;
    if (own.isAtEnd) this.#keep(copy, series);
    return series;
  }

  #keep(written: string, series: ParsedSeries): void {
    if (written.length > MAX_SERIES_LENGTH) return;
    if (this.#series.size >= this.#maxSeries || this.#characters + written.length > MAX_CHARACTERS) {
      this.#series.clear();
      this.#characters = 0;
    }
    this.#series.set(written, series);
    this.#characters += written.length;
  }
}

/** Returns a copy of a slice, which would keep the text that it is of in memory. */
export function copyText(slice: string): string {
  return Buffer.from(slice).toString();
}

/** Parses `name`, `name{label="value",…}`, or, since version 1.0.0, `{"any name","any label"="value",…}`. */
export function parseSeries(line: LineScanner): ParsedSeries {
  const name = line.readMetricName();
  if (!moveToBraces(line, name)) return { name, labels: NO_LABELS };
  const found: FoundLabels = { labels: {}, empty: [] };
  const only = requireOneName(name, readLabelSet(line, found));
  return found.empty.length === 0 ? { name: only, labels: found.labels } : { name: only, ...found };
}

/**
 * Skips a series as parseSeries() parses it, with the same errors, and returns its name. It has no object that survives in
 * common with that: V8 would allocate those of a million series that nobody keeps where it collects last.
 */
export function skipSeries(line: LineScanner): string {
  const name = line.readMetricName();
  return moveToBraces(line, name) ? requireOneName(name, readLabelSet(line, undefined)) : name;
}

/** Moves to the opening brace and returns true; without one, moves to the end of the name. */
function moveToBraces(line: LineScanner, name: string): boolean {
  const end = line.at;
  line.skipBlanks();
  if (line.nextCode === OPENING) return true;
  line.at = end;
  if (name === '') throw createExpositionError('no metric name');
  return false;
}

function requireOneName(before: string, inBraces: string | undefined): string {
  if (before !== '' && inBraces !== undefined) throw createExpositionError('a second metric name');
  const only = inBraces ?? before;
  if (only === '') throw createExpositionError('no metric name');
  return only;
}

/** Reads labels in braces into an object, if there is one; returns the metric name if it is among them in quotes. */
export function readLabelSet(line: LineScanner, found: FoundLabels | undefined): string | undefined {
  const names = new LabelNames();
  let name: string | undefined;
  line.take(OPENING);
  for (;;) {
    line.skipBlanks();
    if (line.take(CLOSING)) return name;
    const isQuoted = line.nextCode === QUOTE;
    const word = isQuoted ? line.readQuotedText() : line.readLabelName();
    line.skipBlanks();
    if (line.take(EQUALS)) {
      if (word === '') throw createExpositionError('a label without a name');
      names.add(word);
      const value = parseLabelValue(line, word);
      if (found !== undefined) addLabel(found, word, value);
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
function addLabel({ labels, empty }: FoundLabels, name: string, value: string): void {
  if (value === '') empty.push(name);
  else if (name === '__proto__') Object.defineProperty(labels, name, { value, enumerable: true });
  else labels[name] = value;
}
