import { setImmediate as turn } from 'node:timers/promises';

import { AgentError } from '@thugshells/shared/errors.ts';
import { canonicalExportedTags } from '@thugshells/shared/metrics/json-lines.ts';
import { canonicalTags, seriesText, ValueType, type Reading } from '@thugshells/shared/metrics/sample.ts';
import { findFamily } from '@thugshells/shared/metrics/metric-family.ts';
import {
  declareForeignSeries,
  type MetricFamily,
  type MetricType,
  type SeriesKind,
} from '@thugshells/shared/metrics/series.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import { decodeUtf8, cutIntoBlocks } from './exposition/bytes.ts';
import { CreatedSamples, type MetricKeys } from './exposition/created-samples.ts';
import { ExpositionReader, type ExpositionOptions } from './exposition/reader.ts';
import { ParsedSeriesCache, type ParsedSeries } from './exposition/parsed-series.ts';
import { FailedPage } from './failed-page.ts';
import { SampleCounter, type CountedSamples } from './sample-count.ts';
import { SampleSelection } from './sample-selection.ts';
import { addTargetLabels, type TargetLabelsOptions } from './target-labels.ts';

/** Lines that are parsed before the event loop runs again: a few milliseconds on a small device. */
const LINES_PER_SLICE = 2_000;
/** Series that are cached from one text to the next: twice the default limit of a target for an hour. */
const MAX_CACHED_SERIES = 6_000;

/** Characters of a series that a message quotes. */
const MAX_SERIES_EXCERPT = 200;

const kinds: Readonly<Record<MetricType, SeriesKind>> = {
  counter: 'counter',
  gauge: 'gauge',
  info: 'gauge',
  stateset: 'gauge',
  summary: 'summary',
  histogram: 'histogram',
  gaugehistogram: 'histogram',
  unknown: 'untyped',
};

export interface ExpositionConverterOptions extends TargetLabelsOptions {
  /** The wall clock, Unix milliseconds. */
  readonly now: () => number;
  /** Whether samples of a metric are kept; all, if it is missing. */
  readonly keepsName?: ((name: string) => boolean) | undefined;
  /** A sample whose timestamp is further from now is left out, as stale, and is an error; none is, if it is missing. */
  readonly maxAgeMs?: number;
  /** The variable that `maxReadings` follows, without its prefix; named when that is not enough. */
  readonly limitVariable: string;
  /** Returns why a series may not have a name. */
  readonly findReserved?: (name: string) => string | undefined;
  /** Whether readings have the time since which their series count. */
  readonly findsStarts?: boolean;
}

/** A reading without its value. */
interface ConvertedSeries extends Required<Omit<Reading, 'value' | 'ageMs' | 'createdMs'>> {
  /** From toIdentity(). */
  readonly identity: string;
  /** Why it may not have its name. */
  readonly reserved: string | undefined;
}

/** The readings of a text. */
export interface ConvertedExposition {
  readonly readings: readonly Reading[];
  /** The timestamp of each reading in the text, Unix milliseconds; undefined for one without. */
  readonly timestamps: readonly (number | undefined)[];
  /** Whether there is nothing in the text, not even a comment. */
  readonly isEmpty: boolean;
  /** Samples in the text, including those that became no reading. */
  readonly samples: number;
  /** Of these, those that are dropped by their name. */
  readonly dropped: number;
  /** Samples of a series that the text has already; the newest of a series is in the readings. */
  readonly repeated: CountedSamples;
  /** Samples whose series have a name of the agent's own, the first one's with the reason. */
  readonly reserved: CountedSamples;
  /** Why other samples became no reading. */
  readonly errors: readonly AgentError[];
}

/** Converts exposition texts of text files and scrape targets to readings. Series keep their names. */
export class ExpositionConverter {
  readonly #options: ExpositionConverterOptions;
  readonly #cache = new ParsedSeriesCache(MAX_CACHED_SERIES);
  /** The converted series, for as long as the parsed one is cached. */
  readonly #converted = new WeakMap<ParsedSeries, ConvertedSeries>();
  readonly #kept = new WeakMap<ParsedSeries, boolean>();
  readonly #metricKeys: MetricKeys = new WeakMap();

  constructor(options: ExpositionConverterOptions) {
    this.#options = options;
  }

  /**
   * Converts one text as its parts arrive.
   *
   * @param maxReadings readings that are returned; further samples are only counted
   * @throws FailedPage EXPOSITION_MALFORMED that names the line; nothing of the text is used
   */
  async convert(
    parts: AsyncIterable<Buffer> | Iterable<Buffer>,
    options: Omit<ExpositionOptions, 'cache'>,
    maxReadings: number,
  ): Promise<ConvertedExposition> {
    const { now, maxAgeMs = Infinity } = this.#options;
    const selection = new SampleSelection({ nowMs: now(), maxAgeMs, maxReadings });
    const hasStarts = this.#options.findsStarts === true && options.format === 'openmetrics';
    const created = new CreatedSamples(this.#metricKeys, hasStarts ? maxReadings : 0);
    const reader = new ExpositionReader({ ...options, cache: this.#cache }, (series, name, value, timestampMs) => {
      created.add(series, name, value);
      if (this.#isKept(series, name)) selection.add(series, name, value, timestampMs);
      else selection.drop();
    });
    try {
      for await (const block of cutIntoBlocks(parts)) {
        reader.begin(decodeUtf8(block, reader.lines + 1));
        do {
          if (selection.isFull) reader.isKeepingSeries = false;
          await turn();
        } while (reader.read(LINES_PER_SLICE));
      }
      reader.end();
    } catch (error) {
      const isMalformed = error instanceof AgentError && error.code === 'EXPOSITION_MALFORMED';
      throw isMalformed ? new FailedPage(error, selection) : error;
    }
    created.end(reader.families.byName);
    return { ...this.#toReadings(selection, reader.families.byName, created), isEmpty: reader.lines === 0 };
  }

  #isKept(series: ParsedSeries | undefined, name: string): boolean {
    const { keepsName } = this.#options;
    if (keepsName === undefined) return true;
    const known = series && this.#kept.get(series);
    if (known !== undefined) return known;
    const isKept = keepsName(name);
    if (series !== undefined) this.#kept.set(series, isKept);
    return isKept;
  }

  #toReadings(
    selection: SampleSelection,
    families: ReadonlyMap<string, MetricFamily>,
    created: CreatedSamples,
  ): Omit<ConvertedExposition, 'isEmpty'> {
    const { samples, dropped, stale, over, series, values } = selection;
    const readings: Reading[] = [];
    const repeated = new SampleCounter(
      selection.repeated,
      selection.firstRepeated && describeSeries(selection.firstRepeated),
    );
    const reserved = new SampleCounter();
    /** By series, however its labels are written: its place among the readings. */
    const places = new Map<string, number>();
    const timestamps: (number | undefined)[] = [];
    series.forEach((parsed, index) => {
      const converted = this.#convertSeries(parsed, families);
      const { series: declaration, labels, canonical, identity } = converted;
      const createdMs = created.find(parsed, declaration.family);
      const reading = { series: declaration, labels, canonical, value: values[index]!, createdMs };
      const timestampMs = selection.timestamps[index];
      const known = places.get(identity);
      if (known !== undefined) repeated.add(() => describeSeries(parsed));
      if (converted.reserved !== undefined) {
        reserved.add(() => `${describeSeries(parsed)}: ${converted.reserved}`);
      } else if (known === undefined || selection.isLater(timestampMs, timestamps[known])) {
        const place = known ?? readings.length;
        places.set(identity, place);
        readings[place] = reading;
        timestamps[place] = timestampMs;
      }
    });
    const errors: AgentError[] = [];
    if (stale.count > 0) errors.push(createStaleError(stale, this.#options.maxAgeMs!));
    if (over > 0) errors.push(createTooManyError(over, this.#options.limitVariable));
    return { readings, timestamps, samples, dropped, repeated, reserved, errors };
  }

  #convertSeries(parsed: ParsedSeries, families: ReadonlyMap<string, MetricFamily>): ConvertedSeries {
    const family = findFamily(families, parsed.name);
    const known = this.#converted.get(parsed);
    if (known !== undefined && isSameFamily(known.series.family, family)) return known;
    const kind = kinds[family?.type ?? 'unknown'];
    const labels = addTargetLabels(parsed, family?.type, this.#options);
    const bare = { series: declareForeignSeries(parsed.name, kind, family), labels, canonical: canonicalTags(labels) };
    const identity = toIdentity({ ...bare, value: 0 });
    const converted = { ...bare, identity, reserved: this.#options.findReserved?.(parsed.name) };
    this.#converted.set(parsed, converted);
    return converted;
  }
}

/** Returns a text that is equal for samples of one series at the receiver only. */
export function toIdentity({ series, labels, canonical = canonicalTags(labels) }: Reading): string {
  const exported = canonicalExportedTags({ tags: labels, canonical });
  return seriesText({ name: series.name, valueType: ValueType.number, canonical: exported });
}

/** Returns a series for a message: `pump{"id":"1"}`. */
export function describeSeries({ name, labels }: ParsedSeries): string {
  return toExcerpt(Object.keys(labels).length === 0 ? name : name + canonicalTags(labels), MAX_SERIES_EXCERPT);
}

function isSameFamily(one: MetricFamily | undefined, other: MetricFamily | undefined): boolean {
  return (
    one?.name === other?.name && one?.type === other?.type && one?.help === other?.help && one?.unit === other?.unit
  );
}

function createStaleError({ count, firstName }: SampleSelection['stale'], maxAgeMs: number): AgentError {
  return new AgentError(
    `${count} samples have a timestamp more than ${maxAgeMs / 60_000} minutes from now, first ${firstName}`,
    {
      code: 'SAMPLES_STALE',
      hint: 'remove the timestamps, or the samples that are out of date: samples are stored with the time of the scrape',
    },
  );
}

function createTooManyError(count: number, variable: string): AgentError {
  return new AgentError(`${count} samples over the limit; increase THUGSHELLS_${variable} and THUGSHELLS_MAX_SERIES`, {
    code: 'TOO_MANY_SAMPLES',
    hint: `expose fewer samples, or increase THUGSHELLS_${variable} and THUGSHELLS_MAX_SERIES`,
  });
}
