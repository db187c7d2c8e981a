import type { Clock } from '@thugshells/shared/clock.js';
import { codeOf, messageOf } from '@thugshells/shared/errors.js';
import { jsonLine, metricObject } from '@thugshells/shared/json-lines.js';
import { refusalOf, sampleOf, type Labels, type Reading } from '@thugshells/shared/sample.js';

import type { Collector } from './collector.js';
import { readingsIn } from './collectors/partly-read.js';
import type { SeriesCap } from './series-cap.js';

/** What `once` prints and whether every collector did its work. */
export interface OnceResult {
  /** VictoriaMetrics JSON lines: what would be stored. */
  readonly lines: string;
  /** One sentence for each collector that failed and each reading that was refused. */
  readonly failures: readonly string[];
}

/** Rates compare two reads; this far apart they are rates of something. */
const BETWEEN_READS_MS = 1_000;

/** Reads every collector once, or twice a second apart where it compares two reads; touches no database. */
export async function once(
  collectors: readonly Collector[],
  options: { readonly clock: Clock; readonly deviceId: string; readonly labels: Labels; readonly cap: SeriesCap },
): Promise<OnceResult> {
  const { clock } = options;
  const comparing = collectors.filter((collector) => collector.comparesReads);
  for (const collector of comparing) await read(collector, clock);
  if (comparing.length > 0) await clock.sleep(BETWEEN_READS_MS);
  const timestampMs = clock.now();
  const results = await Promise.all(collectors.map((collector) => read(collector, clock)));
  const failures = results.flatMap(({ failure }) => failure ?? []);
  const admitted = results.flatMap(({ readings }, index) => {
    const admission = options.cap.admit((collectors[index] as Collector).name, readings, clock.monotonic());
    failures.push(...admission.refusals);
    return admission.readings;
  });
  const lines = admitted.map((reading) => {
    const sample = sampleOf(reading, { deviceId: options.deviceId, labels: options.labels, timestampMs });
    const refusal = refusalOf(sample);
    if (refusal !== undefined) {
      failures.push(`${sample.name}: ${refusal}`);
      return '';
    }
    const isText = typeof sample.value === 'string';
    return jsonLine(metricObject(sample, isText ? String(sample.value) : undefined), isText ? '1' : String(sample.value), String(timestampMs));
  });
  return { lines: lines.join(''), failures };
}

async function read(
  collector: Collector,
  clock: Clock,
): Promise<{ readings: readonly Reading[]; failure?: string }> {
  try {
    return { readings: await collector.collect({ monotonicMs: clock.monotonic() }) };
  } catch (error) {
    if (codeOf(error) === 'KERNEL_FILE_ABSENT') return { readings: [] };
    return { readings: readingsIn(error), failure: `${collector.name}: ${messageOf(error)}` };
  }
}
