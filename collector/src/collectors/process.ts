import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { parseFields } from './parsing/fractions.ts';
import { createLineError, quote } from './parsing/kernel-text.ts';
import { readEach, requireNoErrors } from './readers/partial-result.ts';
import { ProcessCounters } from './readers/process-counters.ts';
import { ProcessNames } from './readers/process-names.ts';
import { MAX_PROCESSES, ProcessReader, type ProcessRecord } from './readers/process-scan.ts';
import { readUsages, type ProcessUsage } from './readers/process-usage.ts';

const gauge = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'gauge', unit, help });
const counter = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'counter', unit, help });
const allProcesses = gauge('system.processes', 'none', 'Processes by the state of their first thread.');
const allThreads = gauge('system.threads', 'none', 'Threads of all processes.');
// Not `process.`: nearly every exporter has process_cpu_seconds_total of itself, which a name of ours would refuse.
const count = gauge('processes.count', 'none', 'Processes of the name.');
const starts = counter(
  'processes.starts_total',
  'none',
  'Processes of the name that were found anew since the collector started.',
);
const cpuSeconds = counter(
  'processes.cpu_seconds_total',
  'seconds',
  'Processor time of the processes of the name since the collector started.',
);
const threads = gauge('processes.threads', 'none', 'Threads of the processes of the name.');
const residentBytes = gauge(
  'processes.resident_bytes',
  'bytes',
  'Resident memory of the processes of the name; what they share counts for each.',
);
const openFiles = gauge('processes.open_files', 'none', 'Open descriptors of the processes of the name.');
export const PROCESS_SERIES: readonly SeriesDeclaration[] = [
  allProcesses,
  allThreads,
  count,
  starts,
  cpuSeconds,
  threads,
  residentBytes,
  openFiles,
];

/** USER_HZ, the unit of processor time in /proc. */
const TICKS_PER_SECOND = 100;

/** Letters of states as proc(5) has them; those that only some kernels have, and that no process stays in, are `other`. */
const STATES: Readonly<Record<string, string>> = {
  R: 'running',
  S: 'sleeping',
  D: 'disk_sleep',
  T: 'stopped',
  t: 'tracing_stop',
  Z: 'zombie',
  I: 'idle',
};
const OTHER_STATE = 'other';

/**
 * Collects what processes of some names use, and how many processes there are in each state. The state of every process is read at
 * each scrape, as the kernel counts none; memory and descriptors of the named ones only. The proportional share of memory (PSS) is not
 * read: the kernel walks all pages for it, while the process waits, and shows it to nobody but the process's own user.
 */
export class ProcessCollector implements Collector {
  readonly name = 'process';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #names: readonly string[];
  readonly #reader: ProcessReader;
  readonly #counters: ProcessCounters;

  constructor(kernel: KernelSource, names: readonly string[]) {
    this.#kernel = kernel;
    this.#names = names;
    this.#reader = new ProcessReader(kernel, new ProcessNames(names));
    this.#counters = new ProcessCounters(names);
  }

  /** @throws AgentError KERNEL_FILE_ABSENT also if no process is to be collected */
  async collect(): Promise<readonly Reading[]> {
    if (this.#names.length === 0) throw new AgentError('no process to collect', { code: 'KERNEL_FILE_ABSENT' });
    return readEach([async () => parseThreads(await this.#kernel.proc('loadavg')), () => this.#readProcesses()]);
  }

  async #readProcesses(): Promise<readonly Reading[]> {
    const { processes, listed } = await this.#reader.scan();
    const isWhole = listed <= MAX_PROCESSES;
    const totals = this.#counters.update(processes, isWhole);
    const { usages, errors } = await readUsages(this.#kernel, this.#names, processes);
    const named = this.#names.flatMap((name) => {
      const labels = { process: name };
      const { ticks, starts: started } = totals.get(name)!;
      return [
        { series: cpuSeconds, labels, value: ticks / TICKS_PER_SECOND },
        { series: starts, labels, value: started },
        ...toReadings(labels, usages.get(name), isWhole),
      ];
    });
    if (isWhole) return requireNoErrors(errors, [...countStates(processes), ...named]);
    return requireNoErrors([createTooManyError(listed), ...errors], named);
  }
}

/** Parses /proc/loadavg: the fourth field has the tasks that are runnable, and all of them. */
function parseThreads(text: string): Reading[] {
  const { line, fields } = parseFields('/proc/loadavg', text, 4);
  const tasks = /^[0-9]+\/([0-9]{1,20})$/.exec(fields[3] as string)?.[1];
  if (tasks === undefined) throw createLineError(line, `${quote(fields[3] as string)} is no count of tasks`);
  return [{ series: allThreads, labels: {}, value: Number(tasks) }];
}

/** Every state has a count, so that one that a process was in for a while does not stay at its last one. */
function countStates(processes: readonly ProcessRecord[]): Reading[] {
  const counts = new Map([...Object.values(STATES), OTHER_STATE].map((state) => [state, 0]));
  for (const { state } of processes) {
    const name = STATES[state] ?? OTHER_STATE;
    counts.set(name, counts.get(name)! + 1);
  }
  return [...counts].map(([state, value]) => ({ series: allProcesses, labels: { state }, value }));
}

/** If not all processes were read, a name of none may be that of one that was not. */
function toReadings(labels: Labels, usage: ProcessUsage | undefined, isWhole: boolean): Reading[] {
  if (usage === undefined) return [];
  if (usage.count === 0) return isWhole ? [{ series: count, labels, value: 0 }] : [];
  return [
    { series: count, labels, value: usage.count },
    { series: threads, labels, value: usage.threads },
    { series: residentBytes, labels, value: usage.residentBytes },
    ...(usage.openFiles === undefined ? [] : [{ series: openFiles, labels, value: usage.openFiles }]),
  ];
}

function createTooManyError(listed: number): AgentError {
  return new AgentError(
    `cannot count the states of ${listed} processes: ${MAX_PROCESSES} are read at each scrape; those of THUGSHELLS_PROCESSES among the others are missing`,
    {
      code: 'KERNEL_FILE_UNREADABLE',
      hint: 'find what starts them, run: ps -eo comm= | sort | uniq -c | sort -n | tail',
    },
  );
}
