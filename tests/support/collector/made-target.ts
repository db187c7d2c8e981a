import { systemClock } from '@thugshells/shared/clock.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';

import {
  ExpositionConverter,
  type ExpositionConverterOptions,
} from '../../../collector/src/inputs/exposition-converter.ts';
import { ScrapeTargetCollector, type ScrapeTargetParts } from '../../../collector/src/inputs/scrape-target.ts';
import { NOW } from './collector-parts.ts';

/** The target `node`. */
export function createTarget(options: Partial<ScrapeTarget> = {}): ScrapeTarget {
  return {
    name: 'node',
    url: 'http://127.0.0.1:1/metrics',
    labels: { job: 'node', instance: 'h:1' },
    honorLabels: false,
    ...options,
  };
}

/** A converter without labels, at the time of these tests. */
export function createConverter(options: Partial<ExpositionConverterOptions> = {}): ExpositionConverter {
  return new ExpositionConverter({ now: () => NOW, labels: {}, limitVariable: 'SCRAPE_MAX_SERIES', ...options });
}

/** The collector of a target, whose converter has the labels of the target. */
export function createTargetCollector(
  target: ScrapeTarget,
  parts: Pick<ScrapeTargetParts, 'client'> & Partial<ScrapeTargetParts & ExpositionConverterOptions>,
): ScrapeTargetCollector {
  return new ScrapeTargetCollector(target, {
    clock: systemClock,
    limits: { timeoutMs: 1_000, maxBytes: 1_000_000 },
    maxReadings: 100,
    converter: createConverter({ ...target, ...parts }),
    ...parts,
  });
}

/** A client whose pages are the next of these texts. */
export function createPageClient(...texts: string[]): ScrapeTargetParts['client'] {
  return {
    fetch: (_url, _limits, read) => read({ body: toParts(texts.shift() ?? ''), contentType: 'text/plain' }),
  };
}

async function* toParts(text: string): AsyncGenerator<Buffer> {
  yield Buffer.from(text);
}
