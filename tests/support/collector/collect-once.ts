import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { formatValue } from '@thugshells/shared/metrics/sample-value.ts';

import type { Collector } from '../../../collector/src/collectors/collector.ts';
import { extractReadings } from '../../../collector/src/collectors/readers/partial-result.ts';

/** The readings of a collector, and its error. */
export interface CollectResult {
  readonly readings: readonly Reading[];
  /** The message of the error; empty if there was none. */
  readonly failure: string;
  readonly hint?: string | undefined;
}

/** Lets a collector collect once. */
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

/** Formats readings as `name{label="value"} 5`, without those whose names match `leftOut`. */
export function formatReadings(readings: readonly Reading[], leftOut: RegExp = /^$/): string[] {
  return readings
    .filter(({ series }) => !leftOut.test(series.name))
    .map(({ series, labels, value }) => {
      const pairs = Object.entries(labels).map(([name, text]) => `${name}=${JSON.stringify(text)}`);
      return `${series.name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${formatValue(value)}`;
    });
}
