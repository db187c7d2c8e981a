import { AgentError } from '@thugshells/shared/errors.ts';

import { parseComment, type ExpositionFormat } from './comments.ts';
import { createExpositionError, LineScanner, OPENING } from './scanner.ts';
import { parseLabelSet, parseSeries, type ParsedSeriesCache, type ParsedSeries } from './parsed-series.ts';

export type { ExpositionFormat } from './comments.ts';

/** One line of samples. */
export interface ExposedSample {
  /** The same object for the same series, where series are known from text to text. */
  readonly series: ParsedSeries;
  /** May be NaN or infinite. */
  readonly value: number;
  /** Unix milliseconds, where the line has a time of its own. */
  readonly timestampMs: number | undefined;
}

export interface ExpositionOptions {
  readonly format: ExpositionFormat;
  /** Whether the last line has to end with a line feed: where nothing else tells a whole text from one cut short. */
  readonly mustEnd?: boolean;
  /** Series of the texts before this one. */
  readonly cache?: ParsedSeriesCache;
}

const HASH = 35;
const CARRIAGE_RETURN = 13;

/**
 * Reads a text in Prometheus' text format or in OpenMetrics' (https://prometheus.io/docs/instrumenting/exposition_formats/,
 * https://prometheus.io/docs/specs/om/open_metrics_spec/), some lines at a time, so that a long one holds nobody up.
 *
 * It takes what Prometheus' own scraper takes: grammar is strict, what the families say of each other is not looked
 * into. Exemplars are checked and passed over.
 */
export class ExpositionReader {
  readonly samples: ExposedSample[] = [];
  /** Metric family → type, as the comments say. */
  readonly types = new Map<string, string>();
  readonly #text: string;
  readonly #format: ExpositionFormat;
  readonly #mustEnd: boolean;
  readonly #cache: ParsedSeriesCache | undefined;
  readonly #line: LineScanner;
  #at = 0;
  #lines = 0;
  #hasEnded = false;

  constructor(text: string, { format, mustEnd = false, cache }: ExpositionOptions) {
    this.#text = text;
    this.#format = format;
    this.#mustEnd = mustEnd;
    this.#cache = cache;
    this.#line = new LineScanner(text);
  }

  /**
   * Reads some lines more; whether any are left.
   *
   * @throws AgentError EXPOSITION_MALFORMED that names the line
   */
  read(maxLines: number): boolean {
    const text = this.#text;
    try {
      for (let left = maxLines; left > 0 && this.#at < text.length; left--) {
        this.#lines += 1;
        const found = text.indexOf('\n', this.#at);
        if (found === -1 && this.#mustEnd)
          throw createExpositionError('the last line does not end with a line feed: it was cut short');
        const end = found === -1 ? text.length : found;
        this.#readLine(this.#at, end > this.#at && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end);
        this.#at = end + 1;
      }
      if (this.#at < text.length) return true;
      if (this.#format === 'openmetrics' && !this.#hasEnded)
        throw createExpositionError('no # EOF at the end: the text was cut short');
      return false;
    } catch (error) {
      throw error instanceof AgentError ? this.#addLineNumber(error) : error;
    }
  }

  #addLineNumber({ message, code }: AgentError): AgentError {
    return new AgentError(`line ${Math.max(1, this.#lines)}: ${message}`, { code });
  }

  #readLine(start: number, end: number): void {
    if (this.#hasEnded) throw createExpositionError('more text after # EOF');
    const line = this.#line;
    line.enter(start, end);
    if (this.#format === 'prometheus') {
      line.skipBlanks();
      if (line.isAtEnd) return;
    }
    if (line.nextCode !== HASH) return this.#readSample();
    const comment = parseComment(line.readRest(), this.#format);
    if (comment?.kind === 'type') this.types.set(comment.family, comment.type);
    if (comment?.kind === 'end') this.#hasEnded = true;
  }

  #readSample(): void {
    const line = this.#line;
    const series = this.#cache?.parse(line) ?? parseSeries(line);
    const { name } = series;
    this.#skipSeparator();
    const value = line.readNumber();
    if (value === undefined) throw createExpositionError(`no number as the value of ${name}`);
    this.#skipSeparator();
    const timestampMs = line.isAtEnd || line.nextCode === HASH ? undefined : this.#readTimestamp();
    this.#skipSeparator();
    if (line.nextCode === HASH) this.#skipExemplar();
    if (!line.isAtEnd) throw createExpositionError(`more than a value and a time after ${name}`);
    this.samples.push({ series, value, timestampMs });
  }

  /** Between two fields OpenMetrics has one space, and none at the end of a line. */
  #skipSeparator(): void {
    const line = this.#line;
    const start = line.at;
    const blanks = line.skipBlanks();
    if (this.#format !== 'openmetrics' || blanks === 0) return;
    if (blanks > 1 || line.isAtEnd || this.#text[start] !== ' ')
      throw createExpositionError('blanks where OpenMetrics has none');
  }

  /** Milliseconds in Prometheus' format, seconds in OpenMetrics'. */
  #readTimestamp(): number {
    if (this.#format === 'openmetrics') {
      const seconds = this.#line.readNumber();
      if (seconds === undefined || !Number.isFinite(seconds))
        throw createExpositionError('a time that is no number of seconds');
      return Math.round(seconds * 1000);
    }
    const word = this.#line.readWord();
    if (!/^[+-]?[0-9]{1,19}$/.test(word)) throw createExpositionError('a time that is no whole number of milliseconds');
    return Number(word);
  }

  #skipExemplar(): void {
    const line = this.#line;
    line.at += 1;
    line.skipBlanks();
    if (line.nextCode !== OPENING) throw createExpositionError('an exemplar without labels');
    if (parseLabelSet(line).name !== undefined) throw createExpositionError('an exemplar with a name');
    line.skipBlanks();
    if (line.readNumber() === undefined) throw createExpositionError('an exemplar without a value');
    this.#skipSeparator();
    if (line.isAtEnd) return;
    const seconds = line.readNumber();
    if (seconds === undefined || !Number.isFinite(seconds))
      throw createExpositionError('an exemplar whose time is no number of seconds');
    this.#skipSeparator();
  }
}
