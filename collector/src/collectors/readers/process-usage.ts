import { AgentError, toErrorCode } from '@thugshells/shared/errors.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { forEachInSlices } from '../../kernel/slices.ts';
import type { ProcessRecord } from './process-scan.ts';
import { hasEnded, parseResidentBytes } from './process-stat.ts';

/** What the processes of one name use at a scrape. */
export interface ProcessUsage {
  readonly count: number;
  readonly threads: number;
  readonly residentBytes: number;
  /** Undefined if those of one of them may not be counted. */
  readonly openFiles: number | undefined;
}

const NOTHING: ProcessUsage = { count: 0, threads: 0, residentBytes: 0, openFiles: 0 };

export interface ProcessUsages {
  /** By name; a name of a process whose files are malformed is not in it. */
  readonly usages: ReadonlyMap<string, ProcessUsage>;
  readonly errors: readonly AgentError[];
}

/** Reads what the processes of each name use. One that ends meanwhile, or that is a zombie, uses nothing. */
export async function readUsages(
  kernel: KernelSource,
  names: readonly string[],
  processes: readonly ProcessRecord[],
): Promise<ProcessUsages> {
  const usages = new Map(names.map((name) => [name, NOTHING]));
  const errors: AgentError[] = [];
  const alive = processes.filter((process) => process.names.length > 0 && !hasEnded(process));
  await forEachInSlices(alive, async (process) => {
    const used = await readUsage(kernel, process).catch((error: unknown) => {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
      return error;
    });
    if (used === undefined) return;
    for (const name of process.names) {
      const before = usages.get(name);
      if (used instanceof AgentError) usages.delete(name);
      else if (before !== undefined) usages.set(name, add(before, used));
    }
  });
  return { usages, errors };
}

/** Returns undefined if the process has ended. */
async function readUsage(kernel: KernelSource, { pid, threads }: ProcessRecord): Promise<ProcessUsage | undefined> {
  const status = await readOptional(kernel.proc(`${pid}/status`), undefined);
  const files = status === undefined ? undefined : await readOptional(countFiles(kernel, pid), undefined);
  if (status === undefined || files === undefined) return undefined;
  const openFiles = files === 'hidden' ? undefined : files;
  return { count: 1, threads, residentBytes: parseResidentBytes(pid, status), openFiles };
}

async function countFiles(kernel: KernelSource, pid: number): Promise<number | 'hidden'> {
  try {
    return await kernel.procEntryCount(`${pid}/fd`);
  } catch (error) {
    if (toErrorCode(error) === 'KERNEL_FILE_UNREADABLE') return 'hidden';
    throw error;
  }
}

function add(one: ProcessUsage, other: ProcessUsage): ProcessUsage {
  const areKnown = one.openFiles !== undefined && other.openFiles !== undefined;
  return {
    count: one.count + other.count,
    threads: one.threads + other.threads,
    residentBytes: one.residentBytes + other.residentBytes,
    openFiles: areKnown ? one.openFiles + other.openFiles : undefined,
  };
}
