import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { createLineError, parseDecimals, parseEachLine, splitFields } from '../parsing/kernel-text.ts';
import { requireNoErrors } from './partial-result.ts';

const total = (name: string, help: string) => declareSeries({ name, kind: 'counter', unit: 'none', help });
const gauge = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'none', help });

/** By the first word of a line of /proc/stat, whose first number is the total (Documentation/filesystems/proc.rst, 1.7). */
const SERIES = new Map([
  ['ctxt', total('system.context_switches_total', 'Context switches.')],
  ['intr', total('system.interrupts_total', 'Interrupts served.')],
  ['processes', total('system.processes_started_total', 'Processes and threads started.')],
  ['procs_running', gauge('system.processes_running', 'Tasks that are running or runnable.')],
  ['procs_blocked', gauge('system.processes_blocked', 'Tasks that wait for a disk.')],
]);
export const ACTIVITY_SERIES: readonly SeriesDeclaration[] = [...SERIES.values()];

const PATH = '/proc/stat';

/**
 * Parses the lines of /proc/stat that count interrupts, context switches and processes; one that is missing is left out.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 * @throws PartialResultError with the readings of the other lines if one is malformed
 */
export function parseActivity(text: string): readonly Reading[] {
  const readings = new Map<string, Reading>();
  const errors = parseEachLine(PATH, text, (line) => {
    const word = line.text.slice(0, line.text.search(/ |$/));
    const series = SERIES.get(word);
    if (series === undefined) return;
    if (readings.has(word)) throw createLineError(line, `a second line ${word}`);
    // In intr hundreds of numbers follow the first, one for each interrupt.
    const [value = 0] = parseDecimals(line, splitFields(line.text).slice(1, 2), 1);
    readings.set(word, { series, labels: {}, value });
  });
  return requireNoErrors(errors, [...readings.values()]);
}

/** Reads and parses /proc/stat; throws as `parseActivity` and `KernelSource.proc` do. */
export async function readActivity(kernel: KernelSource): Promise<readonly Reading[]> {
  return parseActivity(await kernel.proc('stat'));
}
