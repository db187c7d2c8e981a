import { setImmediate as turn } from 'node:timers/promises';

import { AgentError } from '@thugshells/shared/errors.ts';
import { canonicalTags, type Labels, type Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareForeignSeries, type SeriesKind } from '@thugshells/shared/metrics/series.ts';

import { decodeUtf8, cutIntoBlocks } from './exposition/bytes.ts';
import { ExpositionReader, type ExpositionOptions } from './exposition/reader.ts';
import { copyText, ParsedSeriesCache, type ParsedSeries } from './exposition/parsed-series.ts';

/** Lines that are parsed before the event loop runs again: a few milliseconds on a small device. */
const LINES_PER_SLICE = 2_000;
/** Maximum age of a sample with a timestamp, Prometheus' lookback; it is stored with the time of the scrape. */
const MAX_AGE_MS = 300_000;

/** Series that are cached from one text to the next: twice the default limit of a target for an hour. */
const MAX_CACHED_SERIES = 6_000;

/** Suffixes of the series that belong to a family of another name. */
const familySuffix = /_(?:total|bucket|count|sum|created|info|gcount|gsum)$/;
const kinds: Readonly<Record<string, SeriesKind>> = {
  counter: 'counter',
  gauge: 'gauge',
  info: 'gauge',
  stateset: 'gauge',
  summary: 'summary',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  gauge_histogram: 'histogram',
};

export interface ExpositionConverterOptions {
  /** The wall clock, Unix milliseconds. */
  readonly now: () => number;
  /** Added to the labels of every sample; a label of the same name becomes `exported_…`, as with Prometheus. */
  readonly labels: Labels;
}

/** A reading without its value. */
type ConvertedSeries = Required<Omit<Reading, 'value'>>;

/** The readings of a text. */
export interface ConvertedExposition {
  readonly readings: readonly Reading[];
  /** Samples in the text, including those that became no reading. */
  readonly samples: number;
  /** Why some samples became no reading. */
  readonly errors: readonly AgentError[];
}

/** The samples of one text that become readings, and the numbers of the others: there may be a million of them. */
class SampleSelection {
  readonly series: ParsedSeries[] = [];
  readonly values: number[] = [];
  samples = 0;
  stale = 0;
  over = 0;
  firstStaleName = '';
  readonly #maxReadings: number;
  readonly #isStale: (timestampMs: number | undefined) => boolean;

  constructor(maxReadings: number, isStale: (timestampMs: number | undefined) => boolean) {
    this.#maxReadings = maxReadings;
    this.#isStale = isStale;
  }

  get isFull(): boolean {
    return this.series.length >= this.#maxReadings;
  }

  add(series: ParsedSeries | undefined, name: string, value: number, timestampMs: number | undefined): void {
    this.samples += 1;
    if (this.#isStale(timestampMs)) {
      if (this.stale === 0) this.firstStaleName = copyText(name);
      this.stale += 1;
    } else if (series === undefined || this.isFull) {
      this.over += 1;
    } else {
      this.series.push(series);
      this.values.push(value);
    }
  }
}

/** Converts exposition texts of text files and scrape targets to readings. Series keep their names. */
export class ExpositionConverter {
  readonly #options: ExpositionConverterOptions;
  readonly #cache = new ParsedSeriesCache(MAX_CACHED_SERIES);
  /** The converted series, for as long as the parsed one is cached. */
  readonly #converted = new WeakMap<ParsedSeries, ConvertedSeries>();

  constructor(options: ExpositionConverterOptions) {
    this.#options = options;
  }

  /**
   * Converts one text as its parts arrive.
   *
   * @param maxReadings readings that are returned; further samples are only counted
   * @throws AgentError EXPOSITION_MALFORMED that names the line; nothing of the text is used
   */
  async convert(
    parts: AsyncIterable<Buffer> | Iterable<Buffer>,
    options: Omit<ExpositionOptions, 'cache'>,
    maxReadings: number,
  ): Promise<ConvertedExposition> {
    const selection = new SampleSelection(maxReadings, this.#createStaleTest());
    const reader = new ExpositionReader({ ...options, cache: this.#cache }, (series, name, value, timestampMs) =>
      selection.add(series, name, value, timestampMs),
    );
    for await (const block of cutIntoBlocks(parts)) {
      reader.begin(decodeUtf8(block, reader.lines + 1));
      do {
        if (selection.isFull) reader.isKeepingSeries = false;
        await turn();
      } while (reader.read(LINES_PER_SLICE));
    }
    reader.end();
    return this.#toReadings(selection, reader.types);
  }

  #toReadings(selection: SampleSelection, types: ReadonlyMap<string, string>): ConvertedExposition {
    const { samples, stale, over, firstStaleName, values } = selection;
    const readings = selection.series.map((parsed, index): Reading => {
      const { series, labels, canonical } = this.#convertSeries(parsed, types);
      return { series, labels, canonical, value: values[index]! };
    });
    const errors: AgentError[] = [];
    if (stale > 0) errors.push(createStaleError(stale, firstStaleName));
    if (over > 0) errors.push(createTooManyError(over));
    return { readings, samples, errors };
  }

  #createStaleTest(): (timestampMs: number | undefined) => boolean {
    const nowMs = this.#options.now();
    return (timestampMs) => timestampMs !== undefined && Math.abs(nowMs - timestampMs) > MAX_AGE_MS;
  }

  #convertSeries(parsed: ParsedSeries, types: ReadonlyMap<string, string>): ConvertedSeries {
    const kind = findKind(parsed.name, types);
    const known = this.#converted.get(parsed);
    if (known?.series.kind === kind) return known;
    const labels = this.#addLabels(parsed.labels);
    const converted = { series: declareForeignSeries(parsed.name, kind), labels, canonical: canonicalTags(labels) };
    this.#converted.set(parsed, converted);
    return converted;
  }

  #addLabels(labels: Labels): Labels {
    const over = Object.entries(this.#options.labels);
    if (over.length === 0) return labels;
    const all: Record<string, string> = { ...labels };
    for (const [name, value] of over) {
      let exported = name;
      while (Object.hasOwn(labels, exported)) exported = `exported_${exported}`;
      if (exported !== name) all[exported] = labels[name]!;
      all[name] = value;
    }
    return all;
  }
}

function findKind(name: string, types: ReadonlyMap<string, string>): SeriesKind {
  return kinds[types.get(name) ?? types.get(name.replace(familySuffix, '')) ?? ''] ?? 'untyped';
}

function createStaleError(count: number, name: string): AgentError {
  return new AgentError(
    `${count} samples have a timestamp more than ${MAX_AGE_MS / 60_000} minutes from now, first ${name}`,
    {
      code: 'SAMPLES_STALE',
      hint: 'remove the timestamps, or the samples that are out of date: samples are stored with the time of the scrape',
    },
  );
}

function createTooManyError(count: number): AgentError {
  return new AgentError(`${count} samples over the limit`, {
    code: 'TOO_MANY_SAMPLES',
    hint: 'expose fewer samples, or increase THUGSHELLS_COLLECTOR_MAX_SERIES or THUGSHELLS_SCRAPE_MAX_SERIES',
  });
}
