import { AgentError } from '@thugshells/shared/errors.ts';

import { parseComment, type ExpositionFormat } from './comments.ts';
import { FamilyComments } from './family-comments.ts';
import { createExpositionError, LineScanner, OPENING } from './scanner.ts';
import { parseSeries, readLabelSet, skipSeries, type ParsedSeriesCache, type ParsedSeries } from './parsed-series.ts';

export type { ExpositionFormat } from './comments.ts';

/**
 * Receives a sample of the text.
 *
 * @param series the same object for the same series while it is in the cache; undefined if nobody keeps it
 * @param value may be NaN or infinite
 * @param timestampMs Unix milliseconds; undefined if the line has no timestamp
 */
export type OnSample = (
  series: ParsedSeries | undefined,
  name: string,
  value: number,
  timestampMs: number | undefined,
) => void;

export interface ExpositionOptions {
  readonly format: ExpositionFormat;
  /** Whether the last line must end with a line feed, for texts that may be truncated. */
  readonly mustEnd?: boolean;
  /** Series of earlier texts. */
  readonly cache?: ParsedSeriesCache;
}

const HASH = 35;
const CARRIAGE_RETURN = 13;
const BYTE_ORDER_MARK = 0xfeff;

/**
 * Parses a text in Prometheus' text format or in OpenMetrics (https://prometheus.io/docs/instrumenting/exposition_formats/,
 * https://prometheus.io/docs/specs/om/open_metrics_spec/), block by block as it arrives, and each block some lines at a
 * time, so that a long text neither fills the memory nor blocks the event loop. It keeps nothing of a sample.
 *
 * It accepts what Prometheus' scraper accepts: the grammar is strict, consistency between metric families is not checked.
 * Exemplars are validated and skipped.
 */
export class ExpositionReader {
  readonly families = new FamilyComments();
  /** Whether somebody keeps the series of the samples that follow; if not, they are checked only. */
  isKeepingSeries = true;
  readonly #cache: ParsedSeriesCache | undefined;
  readonly #format: ExpositionFormat;
  readonly #mustEnd: boolean;
  readonly #onSample: OnSample;
  #text = '';
  #line = new LineScanner('');
  #at = 0;
  #lines = 0;
  #hasEnded = false;

  constructor({ format, mustEnd = false, cache }: ExpositionOptions, onSample: OnSample) {
    this.#format = format;
    this.#mustEnd = mustEnd;
    this.#cache = cache;
    this.#onSample = onSample;
  }

  /** How many lines have been read. */
  get lines(): number {
    return this.#lines;
  }

  /** Begins the next block of whole lines; only the last one may end without a line feed. */
  begin(text: string): void {
    this.#text = text;
    this.#line = new LineScanner(text);
    // Editors of Windows begin a file with a byte order mark, which is no part of its text.
    this.#at = this.#lines === 0 && text.charCodeAt(0) === BYTE_ORDER_MARK ? 1 : 0;
  }

  /**
   * Parses some lines more of the block; returns whether any are left.
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
          throw createExpositionError('no line feed at the end of the last line: the text is truncated');
        const end = found === -1 ? text.length : found;
        this.#readLine(this.#at, end > this.#at && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end);
        this.#at = end + 1;
      }
      return this.#at < text.length;
    } catch (error) {
      throw error instanceof AgentError ? this.#addLineNumber(error) : error;
    }
  }

  /**
   * Ends the text.
   *
   * @throws AgentError EXPOSITION_MALFORMED if it is truncated
   */
  end(): void {
    if (this.#format !== 'openmetrics' || this.#hasEnded) return;
    throw this.#addLineNumber(createExpositionError('no # EOF at the end: the text is truncated'));
  }

  #addLineNumber({ message, code }: AgentError): AgentError {
    return new AgentError(`line ${Math.max(1, this.#lines)}: ${message}`, { code });
  }

  #readLine(start: number, end: number): void {
    if (this.#hasEnded) throw createExpositionError('text after # EOF');
    const line = this.#line;
    line.enter(start, end);
    if (this.#format === 'prometheus') {
      line.skipBlanks();
      if (line.isAtEnd) return;
    }
    if (line.nextCode !== HASH) return this.#readSample();
    const comment = parseComment(line.readRest(), this.#format);
    if (comment?.kind === 'end') this.#hasEnded = true;
    else if (comment !== undefined) this.families.add(comment);
  }

  #readSample(): void {
    const line = this.#line;
    // Series that nobody keeps are not parsed into objects, and displace none in the cache.
    const series = this.isKeepingSeries ? (this.#cache?.parse(line) ?? parseSeries(line)) : undefined;
    const name = series?.name ?? skipSeries(line);
    this.#skipSeparator();
    const value = line.readNumber();
    if (value === undefined) throw createExpositionError(`the value of ${name} is not a number`);
    this.#skipSeparator();
    const timestampMs = line.isAtEnd || line.nextCode === HASH ? undefined : this.#readTimestamp();
    this.#skipSeparator();
    if (line.nextCode === HASH) this.#skipExemplar();
    if (!line.isAtEnd) throw createExpositionError(`unexpected text after value and timestamp of ${name}`);
    this.#onSample(series, name, value, timestampMs);
  }

  /** Skips blanks between two fields. OpenMetrics has exactly one space there, and none at the end of a line. */
  #skipSeparator(): void {
    const line = this.#line;
    const start = line.at;
    const blanks = line.skipBlanks();
    if (this.#format !== 'openmetrics' || blanks === 0) return;
    if (blanks > 1 || line.isAtEnd || this.#text[start] !== ' ')
      throw createExpositionError('unexpected blanks for OpenMetrics');
  }

  /** Returns milliseconds; the text has milliseconds in Prometheus' format and seconds in OpenMetrics. */
  #readTimestamp(): number {
    if (this.#format === 'openmetrics') {
      const seconds = this.#line.readNumber();
      if (seconds === undefined || !Number.isFinite(seconds))
        throw createExpositionError('the timestamp is not a number of seconds');
      return Math.round(seconds * 1000);
    }
    const word = this.#line.readWord();
    if (!/^[+-]?[0-9]{1,19}$/.test(word))
      throw createExpositionError('the timestamp is not a whole number of milliseconds');
    return Number(word);
  }

  #skipExemplar(): void {
    const line = this.#line;
    line.at += 1;
    line.skipBlanks();
    if (line.nextCode !== OPENING) throw createExpositionError('an exemplar without labels');
    if (readLabelSet(line, undefined) !== undefined) throw createExpositionError('an exemplar with a name');
    line.skipBlanks();
    if (line.readNumber() === undefined) throw createExpositionError('an exemplar without a value');
    this.#skipSeparator();
    if (line.isAtEnd) return;
    const seconds = line.readNumber();
    if (seconds === undefined || !Number.isFinite(seconds))
      throw createExpositionError('an exemplar whose timestamp is not a number of seconds');
    this.#skipSeparator();
  }
}
