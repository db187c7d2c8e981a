import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../../../collector/src/collectors/collector.ts';
import { extractReadings } from '../../../collector/src/collectors/readers/partial-result.ts';

/** What a source told, and what it failed of. */
export interface CollectResult {
  readonly readings: readonly Reading[];
  /** Empty where nothing was at fault. */
  readonly failure: string;
  readonly hint?: string | undefined;
}

/** Reads a source once. */
export async function collectOnce(collector: Collector): Promise<CollectResult> {
  try {
    return { readings: await collector.collect({ monotonicMs: 0 }), failure: '' };
  } catch (error) {
    return {
      readings: extractReadings(error),
      failure: (error as Error).message,
      hint: (error as { hint?: string }).hint,
    };
  }
}

/** Readings as texts, `name{label="value"} 5`, those of the given names left out. */
export function formatReadings(readings: readonly Reading[], leftOut: RegExp = /^$/): string[] {
  return readings
    .filter(({ series }) => !leftOut.test(series.name))
    .map(({ series, labels, value }) => {
      const pairs = Object.entries(labels).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
      return `${series.name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`;
    });
}
