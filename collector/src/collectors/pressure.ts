import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { parseDecimal, splitFields, splitLines, createLineError } from './parsing/kernel-text.ts';

const stalledSeconds = declareSeries({
  name: 'pressure.stalled_seconds_total',
  kind: 'counter',
  unit: 'seconds',
  help: 'Time in which some or all (full) non-idle tasks waited for the resource.',
});
export const PRESSURE_SERIES: readonly SeriesDeclaration[] = [stalledSeconds];

const RESOURCES = ['cpu', 'memory', 'io'] as const;
type Resource = (typeof RESOURCES)[number];
const KINDS = ['some', 'full'] as const;
type StallKind = (typeof KINDS)[number];

/**
 * Parses a file of /proc/pressure: returns seconds stalled by kind. Lines are `some avg10=0.00 avg60=0.00 avg300=0.00
 * total=842078268` with the total in microseconds (Documentation/accounting/psi.rst); the averages follow from it.
 *
 * Kernels before 5.13 have no line `full` for the CPU; later ones have it, and it is always 0 for the whole system.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parsePressure(resource: Resource, text: string): Map<StallKind, number> {
  const path = `/proc/pressure/${resource}`;
  const stalled = new Map<StallKind, number>();
  for (const line of splitLines(path, text)) {
    const [first, ...fields] = splitFields(line.text);
    const kind = KINDS.find((one) => one === first);
    if (kind === undefined) throw createLineError(line, 'neither some nor full');
    if (stalled.has(kind)) throw createLineError(line, `a second line ${kind}`);
    const total = fields.find((field) => field.startsWith('total='));
    if (total === undefined) throw createLineError(line, 'no total');
    stalled.set(kind, parseDecimal(line, total.slice('total='.length)) / 1_000_000);
  }
  if (!stalled.has('some')) throw createMalformedError(path, 'no line some');
  if (!stalled.has('full') && resource !== 'cpu') throw createMalformedError(path, 'no line full');
  return stalled;
}

/** Collects pressure stall information; absent if the kernel was built without it, or it was disabled at boot. */
export class PressureCollector implements Collector {
  readonly name = 'pressure';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  async collect(): Promise<readonly Reading[]> {
    const readings: Reading[] = [];
    for (const resource of RESOURCES) {
      const stalled = parsePressure(resource, await this.#kernel.proc(`pressure/${resource}`));
      for (const [kind, value] of stalled) readings.push({ series: stalledSeconds, labels: { resource, kind }, value });
    }
    return readings;
  }
}
