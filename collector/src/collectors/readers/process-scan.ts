import { AgentError, toErrorCode, toErrorMessage } from '@thugshells/shared/errors.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { forEachInSlices } from '../../kernel/slices.ts';
import type { ProcessNames } from './process-names.ts';
import { parseProcessStat, type ProcessStat } from './process-stat.ts';

/** A device has some hundreds. At 7 µs a process, measured on x86, more would cost a small device a second at each scrape. */
export const MAX_PROCESSES = 10_000;
/** It exists in every PID namespace, so that a /proc without it hides the processes of others. */
const INIT = 1;

/** A process at one scrape. */
export interface ProcessRecord extends ProcessStat {
  readonly pid: number;
  /** The wanted names that it has. */
  readonly names: readonly string[];
}

export interface ProcessScan {
  readonly processes: readonly ProcessRecord[];
  /** How many there were; more than were read if that is above MAX_PROCESSES. */
  readonly listed: number;
}

/** Reads the state of all processes. */
export class ProcessReader {
  readonly #kernel: KernelSource;
  readonly #names: ProcessNames;
  /** Those of the last scrape: a process keeps its arguments as long as its name, and is asked for them once. */
  #known: ReadonlyMap<number, ProcessRecord> = new Map();

  constructor(kernel: KernelSource, names: ProcessNames) {
    this.#kernel = kernel;
    this.#names = names;
  }

  /**
   * Reads at most MAX_PROCESSES processes: those that had a wanted name at the last scrape first, then those of the lowest ids. One
   * that ends meanwhile is left out.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if there is no process below the root, as in a recording
   * @throws AgentError KERNEL_FILE_UNREADABLE if processes of other users are hidden, or one cannot be read
   */
  async scan(): Promise<ProcessScan> {
    const pids = await this.#list();
    const processes: ProcessRecord[] = [];
    await forEachInSlices(pids.slice(0, MAX_PROCESSES), async (pid) => {
      const found = await readOptional(this.#read(pid), undefined);
      if (found !== undefined) processes.push(found);
    });
    this.#known = new Map(processes.map((process) => [process.pid, process]));
    return { processes, listed: pids.length };
  }

  async #list(): Promise<number[]> {
    const pids = (await this.#kernel.procEntries('')).filter((name) => /^[0-9]+$/.test(name)).map(Number);
    if (pids.length === 0) throw new AgentError('/proc has no process', { code: 'KERNEL_FILE_ABSENT' });
    if (!pids.includes(INIT)) throw createHiddenError(`process ${INIT} is not in /proc`);
    const isWanted = (pid: number) => (this.#known.get(pid)?.names.length ?? 0) > 0;
    return pids.sort((one, other) => Number(isWanted(other)) - Number(isWanted(one)) || one - other);
  }

  async #read(pid: number): Promise<ProcessRecord> {
    const stat = parseProcessStat(pid, await this.#readStat(pid));
    const known = this.#known.get(pid);
    const isSame = known !== undefined && known.startTicks === stat.startTicks && known.comm === stat.comm;
    return { ...stat, pid, names: isSame ? known.names : this.#names.find(stat.comm, await this.#readArguments(pid)) };
  }

  async #readStat(pid: number): Promise<string> {
    try {
      return await this.#kernel.proc(`${pid}/stat`);
    } catch (error) {
      // With hidepid=1 the processes of others are listed, and cannot be read.
      if (pid === INIT && toErrorCode(error) === 'KERNEL_FILE_UNREADABLE')
        throw createHiddenError(toErrorMessage(error), error);
      throw error;
    }
  }

  /** Without arguments the kernel's name decides; they may be longer than any file that is read. */
  async #readArguments(pid: number): Promise<string> {
    try {
      return await this.#kernel.proc(`${pid}/cmdline`);
    } catch (error) {
      if (error instanceof AgentError) return '';
      throw error;
    }
  }
}

/** The health report shows the message alone: the remedy is in it. */
function createHiddenError(reason: string, cause?: unknown): AgentError {
  return new AgentError(
    `cannot see the processes of other users: ${reason}; install the drop-in processes.conf, see /usr/share/doc/thugshells/docs/collectors.md`,
    {
      code: 'KERNEL_FILE_UNREADABLE',
      hint: 'copy /usr/share/doc/thugshells/examples/processes.conf to /etc/systemd/system/thugshells-collector.service.d, and run: systemctl daemon-reload && systemctl restart thugshells-collector',
      cause,
    },
  );
}
