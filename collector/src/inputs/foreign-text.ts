import { setImmediate as turn } from 'node:timers/promises';

import { AgentError } from '@thugshells/shared/errors.ts';
import { canonicalTags, type Labels, type Reading } from '@thugshells/shared/metrics/sample.ts';
import { foreignSeries, type SeriesKind } from '@thugshells/shared/metrics/series.ts';

import { ExpositionReader, type ExpositionOptions } from './exposition/reader.ts';
import { KnownSeries, type SeriesPart } from './exposition/series-part.ts';

/** Lines that are read in one go: a few milliseconds on a small board. */
const SLICE_LINES = 2_000;
/** A sample's own time may differ from the scrape's by this much, Prometheus' lookback; it is stamped with the latter. */
const MAX_AGE_MS = 300_000;

/** Series that are remembered from one text to the next: twice what a target may store in an hour by default. */
const KNOWN_SERIES = 6_000;

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

export interface ForeignTextOptions {
  /** The wall clock, Unix milliseconds. */
  readonly now: () => number;
  /** Laid over the labels of every sample; one of the same name becomes `exported_…`, as with Prometheus. */
  readonly labels: Labels;
}

/** A reading but for its value. */
type Identity = Required<Omit<Reading, 'value'>>;

/** What a text has to say. */
export interface ForeignReadings {
  readonly readings: readonly Reading[];
  /** How many samples stand in it, those that are no readings included. */
  readonly samples: number;
  /** What is wrong with some of them; the rest can be used. */
  readonly faults: readonly AgentError[];
}

/** Texts that others wrote, as readings. Series keep the names that they have there. */
export class ForeignText {
  readonly #options: ForeignTextOptions;
  readonly #known = new KnownSeries(KNOWN_SERIES);
  /** What a series has become, for as long as it is known. */
  readonly #identities = new WeakMap<SeriesPart, Identity>();

  constructor(options: ForeignTextOptions) {
    this.#options = options;
  }

  /**
   * Reads one text.
   *
   * @param most readings that there is room for; further samples are counted only
   * @throws AgentError EXPOSITION_MALFORMED that names the line: nothing of the text is used then
   */
  async read(text: string, options: ExpositionOptions, most: number): Promise<ForeignReadings> {
    const reader = new ExpositionReader(text, { ...options, known: this.#known });
    while (reader.read(SLICE_LINES)) await turn();
    const { samples, types } = reader;
    const isStale = this.#staleness();
    const fresh = samples.filter(({ timestampMs }) => !isStale(timestampMs));
    const readings = fresh.slice(0, most).map(({ part, value }): Reading => {
      const { series, labels, canonical } = this.#identity(part, types);
      return { series, labels, canonical, value };
    });
    const faults: AgentError[] = [];
    if (fresh.length < samples.length)
      faults.push(
        stale(samples.length - fresh.length, samples.find(({ timestampMs }) => isStale(timestampMs))!.part.name),
      );
    if (fresh.length > readings.length) faults.push(tooMany(fresh.length - readings.length));
    return { readings, samples: samples.length, faults };
  }

  #staleness(): (timestampMs: number | undefined) => boolean {
    const nowMs = this.#options.now();
    return (timestampMs) => timestampMs !== undefined && Math.abs(nowMs - timestampMs) > MAX_AGE_MS;
  }

  #identity(part: SeriesPart, types: ReadonlyMap<string, string>): Identity {
    const kind = kindOf(part.name, types);
    const known = this.#identities.get(part);
    if (known?.series.kind === kind) return known;
    const labels = this.#laidOver(part.labels);
    const identity = { series: foreignSeries(part.name, kind), labels, canonical: canonicalTags(labels) };
    this.#identities.set(part, identity);
    return identity;
  }

  #laidOver(labels: Labels): Labels {
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

function kindOf(name: string, types: ReadonlyMap<string, string>): SeriesKind {
  return kinds[types.get(name) ?? types.get(name.replace(familySuffix, '')) ?? ''] ?? 'untyped';
}

function stale(count: number, name: string): AgentError {
  return new AgentError(
    `${count} samples bear a time that is more than ${MAX_AGE_MS / 60_000} minutes from now, first ${name}`,
    {
      code: 'SAMPLES_STALE',
      hint: 'Samples are stamped with the time at which they are read: leave the times out, or tell nothing that is not so any more.',
    },
  );
}

function tooMany(count: number): AgentError {
  return new AgentError(`${count} samples more than there is room for`, {
    code: 'TOO_MANY_SAMPLES',
    hint: 'Let the source tell less, or raise THUGSHELLS_COLLECTOR_MAX_SERIES or THUGSHELLS_SCRAPE_MAX_SERIES.',
  });
}
