import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { createLineError, parseDecimal, parseEachLine, splitFields } from './parsing/kernel-text.ts';
import { readEach, requireNoErrors } from './readers/partial-result.ts';

const stalledSeconds = declareSeries({
  name: 'pressure.stalled_seconds_total',
  kind: 'counter',
  unit: 'seconds',
  help: 'Time in which some or all (full) non-idle tasks waited for the resource.',
});
export const PRESSURE_SERIES: readonly SeriesDeclaration[] = [stalledSeconds];

const KINDS = ['some', 'full'] as const;
type StallKind = (typeof KINDS)[number];

/**
 * Resources, by the lines that every kernel has for them. Kernels before 5.13 have no line `full` for the CPU; later ones have it, and
 * it is always 0 for the whole system. Time stolen by interrupts, from 6.1 on, stops every task of a core: it has no `some`.
 */
const REQUIRED_KINDS = {
  cpu: ['some'],
  memory: ['some', 'full'],
  io: ['some', 'full'],
  irq: ['full'],
} as const satisfies Readonly<Record<string, readonly StallKind[]>>;
type Resource = keyof typeof REQUIRED_KINDS;
const RESOURCES = Object.keys(REQUIRED_KINDS) as Resource[];

/**
 * Parses a file of /proc/pressure: returns seconds stalled by kind. Lines are `some avg10=0.00 avg60=0.00 avg300=0.00
 * total=842078268` with the total in microseconds (Documentation/accounting/psi.rst); the averages follow from it.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 * @throws PartialResultError with the readings of the other lines if one is malformed
 */
export function parsePressure(resource: Resource, text: string): readonly Reading[] {
  const path = `/proc/pressure/${resource}`;
  const stalled = new Map<StallKind, number>();
  const errors = parseEachLine(path, text, (line) => {
    const [first, ...fields] = splitFields(line.text);
    const kind = KINDS.find((one) => one === first);
    if (kind === undefined) throw createLineError(line, 'neither some nor full');
    if (stalled.has(kind)) throw createLineError(line, `a second line ${kind}`);
    const total = fields.find((field) => field.startsWith('total='));
    if (total === undefined) throw createLineError(line, 'no total');
    stalled.set(kind, parseDecimal(line, total.slice('total='.length)) / 1_000_000);
  });
  const missing = REQUIRED_KINDS[resource].find((kind) => !stalled.has(kind));
  if (errors.length === 0 && missing !== undefined) errors.push(createMalformedError(path, `no line ${missing}`));
  const readings = [...stalled].map(([kind, value]) => ({ series: stalledSeconds, labels: { resource, kind }, value }));
  return requireNoErrors(errors, readings);
}

/** Collects pressure stall information; absent if the kernel was built without it, or it was disabled at boot. */
export class PressureCollector implements Collector {
  readonly name = 'pressure';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  collect(): Promise<readonly Reading[]> {
    return readEach(RESOURCES.map((one) => async () => parsePressure(one, await this.#kernel.proc(`pressure/${one}`))));
  }
}
