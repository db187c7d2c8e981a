import { AgentError } from '@thugshells/shared/errors.ts';

import { commentOf, type ExpositionFormat } from './comments.ts';
import { fault, LineScanner, OPENING } from './scanner.ts';
import { labelSet, seriesPart, type KnownSeries, type SeriesPart } from './series-part.ts';

export type { ExpositionFormat } from './comments.ts';

/** One line of samples. */
export interface ExposedSample {
  /** The same object for the same series, where series are known from text to text. */
  readonly part: SeriesPart;
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
  readonly known?: KnownSeries;
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
  readonly #known: KnownSeries | undefined;
  readonly #line: LineScanner;
  #at = 0;
  #lines = 0;
  #hasEnded = false;

  constructor(text: string, { format, mustEnd = false, known }: ExpositionOptions) {
    this.#text = text;
    this.#format = format;
    this.#mustEnd = mustEnd;
    this.#known = known;
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
        if (found === -1 && this.#mustEnd) throw fault('the last line does not end with a line feed: it was cut short');
        const end = found === -1 ? text.length : found;
        this.#readLine(this.#at, end > this.#at && text.charCodeAt(end - 1) === CARRIAGE_RETURN ? end - 1 : end);
        this.#at = end + 1;
      }
      if (this.#at < text.length) return true;
      if (this.#format === 'openmetrics' && !this.#hasEnded) throw fault('no # EOF at the end: the text was cut short');
      return false;
    } catch (error) {
      throw error instanceof AgentError ? this.#named(error) : error;
    }
  }

  #named({ message, code }: AgentError): AgentError {
    return new AgentError(`line ${Math.max(1, this.#lines)}: ${message}`, { code });
  }

  #readLine(start: number, end: number): void {
    if (this.#hasEnded) throw fault('more text after # EOF');
    const line = this.#line;
    line.enter(start, end);
    if (this.#format === 'prometheus') {
      line.skipBlanks();
      if (line.isAtEnd) return;
    }
    if (line.next !== HASH) return this.#readSample();
    const comment = commentOf(line.rest(), this.#format);
    if (comment?.kind === 'type') this.types.set(comment.family, comment.type);
    if (comment?.kind === 'end') this.#hasEnded = true;
  }

  #readSample(): void {
    const line = this.#line;
    const part = this.#known?.partOf(line) ?? seriesPart(line);
    const { name } = part;
    this.#separate();
    const value = line.number();
    if (value === undefined) throw fault(`no number as the value of ${name}`);
    this.#separate();
    const timestampMs = line.isAtEnd || line.next === HASH ? undefined : this.#timestamp();
    this.#separate();
    if (line.next === HASH) this.#passExemplar();
    if (!line.isAtEnd) throw fault(`more than a value and a time after ${name}`);
    this.samples.push({ part, value, timestampMs });
  }

  /** Between two fields OpenMetrics has one space, and none at the end of a line. */
  #separate(): void {
    const line = this.#line;
    const start = line.at;
    const blanks = line.skipBlanks();
    if (this.#format !== 'openmetrics' || blanks === 0) return;
    if (blanks > 1 || line.isAtEnd || this.#text[start] !== ' ') throw fault('blanks where OpenMetrics has none');
  }

  /** Milliseconds in Prometheus' format, seconds in OpenMetrics'. */
  #timestamp(): number {
    if (this.#format === 'openmetrics') {
      const seconds = this.#line.number();
      if (seconds === undefined || !Number.isFinite(seconds)) throw fault('a time that is no number of seconds');
      return Math.round(seconds * 1000);
    }
    const word = this.#line.word();
    if (!/^[+-]?[0-9]{1,19}$/.test(word)) throw fault('a time that is no whole number of milliseconds');
    return Number(word);
  }

  #passExemplar(): void {
    const line = this.#line;
    line.at += 1;
    line.skipBlanks();
    if (line.next !== OPENING) throw fault('an exemplar without labels');
    if (labelSet(line).name !== undefined) throw fault('an exemplar with a name');
    line.skipBlanks();
    if (line.number() === undefined) throw fault('an exemplar without a value');
    this.#separate();
    if (line.isAtEnd) return;
    const seconds = line.number();
    if (seconds === undefined || !Number.isFinite(seconds))
      throw fault('an exemplar whose time is no number of seconds');
    this.#separate();
  }
}
