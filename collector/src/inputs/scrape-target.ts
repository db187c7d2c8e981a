import type { Clock } from '@thugshells/shared/clock.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { scrapeSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector, LeftOutSamples } from '../collectors/collector.ts';
import { requireNoErrors } from '../collectors/readers/partial-result.ts';
import type { ConvertedExposition, ExpositionConverter, UnusedSamples } from './exposition-converter.ts';
import type { ScrapeLimits, ScrapeClient } from './scrape-client.ts';

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

/** Scrapes one local exporter. If that fails, `up` is 0 and none of its samples is returned. */
export class ScrapeTargetCollector implements Collector {
  readonly name: string;
  readonly comparesReads = false;
  leftOut: readonly LeftOutSamples[] = [];
  readonly #target: ScrapeTarget;
  readonly #parts: ScrapeTargetParts;

  constructor(target: ScrapeTarget, parts: ScrapeTargetParts) {
    this.name = toCollectorName(target);
    this.#target = target;
    this.#parts = parts;
  }

  async collect(): Promise<readonly Reading[]> {
    const { clock } = this.#parts;
    const startedAt = clock.monotonic();
    this.leftOut = [];
    const outcome = await this.#scrape();
    const labels = { job: this.#target.name };
    const durationSeconds = (clock.monotonic() - startedAt) / 1000;
    const own = [
      { series: scrapeSeries.up, labels, value: outcome instanceof AgentError ? 0 : 1 },
      { series: scrapeSeries.duration, labels, value: durationSeconds },
    ];
    if (outcome instanceof AgentError) return requireNoErrors([this.#addTargetName(outcome)], own);
    const { readings, samples, errors } = outcome;
    this.leftOut = this.#listLeftOut(outcome);
    return requireNoErrors(
      errors.map((error) => this.#addTargetName(error)),
      [...own, { series: scrapeSeries.samples, labels, value: samples }, ...readings],
    );
  }

  async #scrape(): Promise<ConvertedExposition | AgentError> {
    const { client, converter, limits, maxReadings } = this.#parts;
    try {
      return await client.fetch(this.#target.url, limits, ({ body, contentType }) => {
        const format = contentType.startsWith('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
        return converter.convert(body, { format }, maxReadings);
      });
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
  }

  /** An exporter that repeats a series, or has `up`, does so for good: that is no failure of the scrape. */
  #listLeftOut({ repeated, reserved }: ConvertedExposition): LeftOutSamples[] {
    const describe = (what: string, { count, first }: UnusedSamples) =>
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
    ].filter(({ count }) => count > 0);
  }

  #addTargetName({ message, code, hint, cause }: AgentError): AgentError {
    const isPartial = code === 'SAMPLES_STALE' || code === 'TOO_MANY_SAMPLES';
    return new AgentError(`${isPartial ? 'scrape target' : 'cannot scrape'} ${this.#target.name}: ${message}`, {
      code,
      cause,
      hint: hint ?? 'check that the target exposes Prometheus’ text format or OpenMetrics',
    });
  }
}
