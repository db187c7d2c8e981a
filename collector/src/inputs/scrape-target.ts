import type { Clock } from '@thugshells/shared/clock.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { scrapeSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../collectors/collector.ts';
import { requireNoErrors } from '../collectors/readers/partial-result.ts';
import { decodeUtf8 } from './exposition/bytes.ts';
import type { ConvertedExposition, ExpositionConverter } from './exposition-converter.ts';
import type { ScrapeLimits, ScrapeClient } from './scrape-client.ts';

/** A page with metrics on this machine. */
export interface ScrapeTarget {
  /** The label `job` of all its series. */
  readonly name: string;
  readonly url: string;
}

export interface ScrapeTargetParts {
  readonly client: Pick<ScrapeClient, 'fetch'>;
  readonly converter: ExpositionConverter;
  readonly clock: Clock;
  readonly limits: ScrapeLimits;
  /** Readings of one scrape that are handed on. */
  readonly maxSamples: number;
}

/** What the collector of a target is called: each target is a source of its own, with its own pace, cap and health. */
export function toCollectorName({ name }: Pick<ScrapeTarget, 'name'>): string {
  return `scrape:${name}`;
}

/** One local exporter. A target that does not answer, or not as it should, has `up 0`, and none of its samples. */
export class ScrapeTargetCollector implements Collector {
  readonly name: string;
  readonly comparesReads = false;
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
    const outcome = await this.#scrape();
    const labels = { job: this.#target.name };
    const durationSeconds = (clock.monotonic() - startedAt) / 1000;
    const own = [
      { series: scrapeSeries.up, labels, value: outcome instanceof AgentError ? 0 : 1 },
      { series: scrapeSeries.duration, labels, value: durationSeconds },
    ];
    if (outcome instanceof AgentError) return requireNoErrors([this.#addTargetName(outcome)], own);
    const { readings, samples, errors } = outcome;
    return requireNoErrors(
      errors.map((error) => this.#addTargetName(error)),
      [...own, { series: scrapeSeries.samples, labels, value: samples }, ...readings],
    );
  }

  async #scrape(): Promise<ConvertedExposition | AgentError> {
    const { client, converter, limits, maxSamples } = this.#parts;
    try {
      const { bytes, contentType } = await client.fetch(this.#target.url, limits);
      const format = contentType.startsWith('application/openmetrics-text') ? 'openmetrics' : 'prometheus';
      return await converter.convert(decodeUtf8(bytes), { format }, maxSamples);
    } catch (error) {
      if (error instanceof AgentError) return error;
      throw error;
    }
  }

  #addTargetName({ message, code, hint, cause }: AgentError): AgentError {
    return new AgentError(`scrape target ${this.#target.name}: ${message}`, {
      code,
      cause,
      hint: hint ?? 'Its page has to be in Prometheus’ text format or in OpenMetrics.',
    });
  }
}
