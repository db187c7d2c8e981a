import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { scrapeSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../collectors/collector.ts';
import { partlyRead } from '../collectors/readers/partial-result.ts';
import { textOf } from './exposition/bytes.ts';
import type { ForeignReadings, ForeignText } from './foreign-text.ts';
import type { PageLimits, ScrapeDoor } from './scrape-client.ts';

/** A page with metrics on this machine. */
export interface ScrapeTarget {
  /** The label `job` of all its series. */
  readonly name: string;
  readonly url: string;
}

export interface ScrapeTargetSources {
  readonly door: Pick<ScrapeDoor, 'fetch'>;
  readonly foreign: ForeignText;
  readonly clock: Clock;
  readonly limits: PageLimits;
  /** Readings of one scrape that are handed on. */
  readonly maxSamples: number;
}

/** What the collector of a target is called: each target is a source of its own, with its own pace, cap and health. */
export function collectorOf({ name }: Pick<ScrapeTarget, 'name'>): string {
  return `scrape:${name}`;
}

/** One local exporter. A target that does not answer, or not as it should, has `up 0`, and none of its samples. */
export class ScrapeTargetSource implements Collector {
  readonly name: string;
  readonly comparesReads = false;
  readonly #target: ScrapeTarget;
  readonly #sources: ScrapeTargetSources;

  constructor(target: ScrapeTarget, sources: ScrapeTargetSources) {
    this.name = collectorOf(target);
    this.#target = target;
    this.#sources = sources;
  }

  async collect(): Promise<readonly Reading[]> {
    const { clock } = this.#sources;
    const startedAt = clock.monotonic();
    const outcome = await this.#scrape();
    const labels = { job: this.#target.name };
    const durationSeconds = (clock.monotonic() - startedAt) / 1000;
    const own = [
      { series: scrapeSeries.up, labels, value: outcome instanceof AgentError ? 0 : 1 },
      { series: scrapeSeries.duration, labels, value: durationSeconds },
    ];
    if (outcome instanceof AgentError) return partlyRead([this.#named(outcome)], own);
    const { readings, samples, faults } = outcome;
    return partlyRead(
      faults.map((fault) => this.#named(fault)),
      [...own, { series: scrapeSeries.samples, labels, value: samples }, ...readings],
    );
  }

  async #scrape(): Promise<ForeignReadings | AgentError> {
    const { door, foreign, limits, maxSamples } = this.#sources;
    try {
      const { bytes, contentType } = await door.fetch(this.#target.url, limits);
      const format = contentType.startsWith('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
      return await foreign.read(textOf(bytes), { format }, maxSamples);
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
  }

  #named({ message, code, hint, cause }: AgentError): AgentError {
    return new AgentError(`scrape target ${this.#target.name}: ${message}`, {
      code,
      cause,
      hint: hint ?? 'Its page has to be in Prometheus’ text format or in OpenMetrics.',
    });
  }
}
