import type { Clock } from '@thugshells/shared/clock.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { scrapeSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

import type { Collector, LeftOutSamples } from '../collectors/collector.ts';
import { requireNoErrors } from '../collectors/readers/partial-result.ts';
import type { ConvertedExposition, ExpositionConverter } from './exposition-converter.ts';
import type { CountedSamples } from './sample-count.ts';
import { SampleDates, type DatedPage } from './sample-dates.ts';
import type { ScrapeLimits, ScrapeClient } from './scrape-client.ts';
import { FailedPage, type ReadSamples } from './failed-page.ts';
import { ScrapedSeries } from './scraped-series.ts';

export interface ScrapeTargetParts {
  readonly client: Pick<ScrapeClient, 'fetch'>;
  readonly converter: ExpositionConverter;
  readonly clock: Clock;
  readonly limits: ScrapeLimits;
  /** Readings that one scrape returns at most. */
  readonly maxReadings: number;
}

/** Returns the name of the collector of a target: each has its own interval, series limit and health. */
export function toCollectorName({ name }: Pick<ScrapeTarget, 'name'>): string {
  return `scrape:${name}`;
}

/** What Prometheus reports of each scrape of a target. */
interface ScrapeFigures {
  readonly isUp: boolean;
  readonly durationMs: number;
  readonly read: ReadSamples;
  readonly seriesAdded: number;
}

const NOTHING_READ: ReadSamples = { samples: 0, dropped: 0 };

/**
 * Scrapes one exporter. If that fails, `up` is 0 and none of its samples is returned. Series that a scrape does not have any more
 * end with a stale marker; those with timestamps only if the target tracks them.
 */
export class ScrapeTargetCollector implements Collector {
  readonly name: string;
  readonly comparesReads = false;
  leftOut: readonly LeftOutSamples[] = [];
  readonly #target: ScrapeTarget;
  readonly #parts: ScrapeTargetParts;
  readonly #series = new ScrapedSeries();
  readonly #dates = new SampleDates();
  #hasReported = false;

  constructor(target: ScrapeTarget, parts: ScrapeTargetParts) {
    this.name = toCollectorName(target);
    this.#target = target;
    this.#parts = parts;
  }

  async collect(): Promise<readonly Reading[]> {
    const { clock } = this.#parts;
    const startedAt = { wallMs: clock.now(), monotonicMs: clock.monotonic() };
    this.leftOut = [];
    const outcome = await this.#scrape();
    const durationMs = clock.monotonic() - startedAt.monotonicMs;
    if (outcome instanceof AgentError) {
      const read = outcome instanceof FailedPage ? outcome.read : NOTHING_READ;
      const figures = this.#report({ isUp: false, durationMs, read, seriesAdded: 0 });
      return requireNoErrors([this.#addTargetName(outcome)], [...figures, ...this.#series.end()]);
    }
    const { readings, errors } = outcome;
    const { honorTimestamps = true, tracksTimestampedSeries = false } = this.#target;
    const timestamps = honorTimestamps ? outcome.timestamps : [];
    // As with Prometheus: what comes after a page without anything is compared with the page before that one.
    const { added: seriesAdded, ends } = outcome.isEmpty
      ? { added: 0, ends: this.#series.end() }
      : this.#series.replace(readings, tracksTimestampedSeries ? [] : timestamps);
    const dated = this.#dates.date({ readings, timestamps }, { ...startedAt, durationMs });
    this.leftOut = this.#listLeftOut(outcome, dated);
    return requireNoErrors(
      errors.map((error) => this.#addTargetName(error)),
      [...this.#report({ isUp: true, durationMs, read: outcome, seriesAdded }), ...dated.readings, ...ends],
    );
  }

  /** Ends what the scrapes reported too. */
  end(): readonly Reading[] {
    if (!this.#hasReported) return [];
    const figures = this.#report({ isUp: false, durationMs: 0, read: NOTHING_READ, seriesAdded: 0 });
    return [...figures.map((reading): Reading => ({ ...reading, value: STALE_MARKER })), ...this.#series.end()];
  }

  #report({ isUp, durationMs, read: { samples, dropped }, seriesAdded }: ScrapeFigures): Reading[] {
    const { labels } = this.#target;
    this.#hasReported = true;
    return [
      { series: scrapeSeries.up, labels, value: isUp ? 1 : 0 },
      { series: scrapeSeries.duration, labels, value: durationMs / 1000 },
      { series: scrapeSeries.samples, labels, value: samples },
      { series: scrapeSeries.samplesKept, labels, value: samples - dropped },
      { series: scrapeSeries.seriesAdded, labels, value: seriesAdded },
    ];
  }

  async #scrape(): Promise<ConvertedExposition | AgentError> {
    const { client, converter, limits, maxReadings } = this.#parts;
    try {
      const converted = await client.fetch(this.#target, limits, ({ body, contentType }) => {
        const format = contentType.startsWith('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
        return converter.convert(body, { format }, maxReadings);
      });
      return this.#findExcess(converted) ?? converted;
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
  }

  #findExcess(read: ReadSamples): FailedPage | undefined {
    const { sampleLimit = Infinity } = this.#target;
    const kept = read.samples - read.dropped;
    if (kept <= sampleLimit) return undefined;
    const error = new AgentError(`${kept} samples, sample_limit is ${sampleLimit}`, {
      code: 'SCRAPE_FAILED',
      hint: 'increase sample_limit in THUGSHELLS_SCRAPE_CONFIG, or drop metrics by metric_relabel_configs',
    });
    return new FailedPage(error, read);
  }

  /** An exporter that repeats a series, or has `up`, does so for good: that is no failure of the scrape. */
  #listLeftOut({ repeated, reserved }: ConvertedExposition, { late, redated }: DatedPage): LeftOutSamples[] {
    const describe = (what: string, { count, first }: CountedSamples) =>
      `scrape target ${this.#target.name}: ${count} samples of ${what}, first ${first}`;
    return [
      {
        event: 'repeated samples dropped',
        count: repeated.count,
        reason: describe('a series that the page has already', repeated),
      },
      {
        event: 'samples of reserved names dropped',
        count: reserved.count,
        reason: describe('reserved names', reserved),
      },
      {
        event: 'samples out of order dropped',
        count: late.count,
        reason: describe('a time that is not after that of the sample before', late),
      },
      {
        event: 'sample times out of range replaced',
        count: redated.count,
        reason: describe('a time after the scrape, or over an hour before it, which get that of the scrape', redated),
      },
    ].filter(({ count }) => count > 0);
  }

  #addTargetName({ message, code, hint, cause }: AgentError): AgentError {
    const isPartial = code === 'TOO_MANY_SAMPLES';
    return new AgentError(`${isPartial ? 'scrape target' : 'cannot scrape'} ${this.#target.name}: ${message}`, {
      code,
      cause,
      hint: hint ?? 'check that the target exposes Prometheus’ text format or OpenMetrics',
    });
  }
}
