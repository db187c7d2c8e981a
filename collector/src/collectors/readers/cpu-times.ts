import type { AgentError } from '@thugshells/shared/errors.ts';

import { createMalformedError } from '../../kernel/kernel-file-errors.ts';
import { CounterIncreases, type Counters } from '../parsing/counter-increases.ts';
import {
  createLineError,
  parseDecimals,
  parseEachLine,
  quote,
  removeShortLines,
  splitFields,
  type NumberLine,
} from '../parsing/kernel-text.ts';

const PATH = '/proc/stat';
/**
 * Modes in the order of the file (Documentation/filesystems/proc.rst, 1.7). The next two fields, guest and guest_nice,
 * are already counted in user and nice (account_guest_time in kernel/sched/cputime.c adds to both): counting them again
 * would report a host of virtual machines as busier than it is.
 */
export const CPU_MODES = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'] as const;
export type CpuMode = (typeof CPU_MODES)[number];
/** Ticks of USER_HZ by mode. Only ratios are used. */
export type CpuTicks = Counters<CpuMode>;

/** The lines of /proc/stat that begin with `cpu`. */
export interface CpuTimes {
  /** By core: `0`, `1`, …, and `all`, unless there are several lines of all cores. */
  readonly times: ReadonlyMap<string, CpuTicks>;
  /** The cores that have a line, whether it could be parsed or not. The kernel lists those that are online. */
  readonly cores: readonly string[];
  /** Lines of all cores. Old versions of lxcfs write two, the first with zeros (lxc/lxcfs issue 406). */
  readonly totals: number;
  /** Of malformed lines. */
  readonly errors: readonly AgentError[];
}

/**
 * Parses /proc/stat: returns the time of each core, and of all cores as `all`, by mode. A malformed line costs itself.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the file is empty
 */
export function parseStat(text: string): CpuTimes {
  const lines = new Map<string, NumberLine>();
  const cores = new Set<string>();
  let totals = 0;
  const malformed = parseEachLine(PATH, text, (line) => {
    if (!line.text.startsWith('cpu')) return;
    const [label = '', ...fields] = splitFields(line.text);
    if (!/^cpu(0|[1-9][0-9]{0,5})?$/.test(label)) throw createLineError(line, `${quote(label)} is not a core`);
    const core = label.slice('cpu'.length);
    if (core === '') totals += 1;
    else if (cores.has(core)) throw createLineError(line, `a second line of ${quote(label)}`);
    else cores.add(core);
    const numbers = parseDecimals(line, fields, CPU_MODES.length);
    lines.set(core || 'all', { line, numbers });
  });
  if (totals > 1) lines.delete('all');
  const errors = [...malformed, ...removeShortLines(lines)];
  if (totals === 0) errors.push(createMalformedError(PATH, 'no line "cpu" for all cores'));
  const times = new Map(
    [...lines].map(([core, { numbers }]) => [core, toTicks((_, index) => numbers[index] as number)]),
  );
  return { times, cores: [...cores], totals, errors };
}

/** Compares the times of cores with those of the last scrape. */
export class CpuTimeIncreases {
  readonly #increases = new CounterIncreases<CpuMode>(toTickIncreases);
  #cores: string | undefined;

  /**
   * Remembers the current times and returns the increases of each core, and of all as `all`.
   *
   * The kernel's line of all cores counts those that are offline by another clock: when one goes or comes, it jumps, also
   * back. Then, if there are several of these lines, and if the line stands still, as one of zeros does, `all` is the sum
   * of the cores that were there both times.
   */
  update({ times, cores, totals }: CpuTimes): ReadonlyMap<string, CpuTicks> {
    const areSame = this.#cores === cores.join();
    this.#cores = cores.join();
    const increases = this.#increases.update(times);
    const all = increases.get('all');
    const isSound = areSame && all !== undefined && Object.values(all).some((ticks) => ticks > 0);
    if (totals === 1 && (!times.has('all') || isSound)) return increases;
    increases.delete('all');
    if (totals > 0 && increases.size > 0) increases.set('all', sumTicks([...increases.values()]));
    return increases;
  }
}

/** The share of the time since the last scrape by which modes may go back together. */
const MAX_SHARE_BACK = 0.1;
/** More than any machine ran; a mode that is below 0, as steal in virtual machines was, is written as nearly 2^64. */
const MAX_TICKS = 2 ** 53;

/**
 * Judges how the times of a core changed. A mode that went back by a few ticks did not increase: the kernel documents it
 * of iowait alone, devices do it with any. More than that is a reset or a jump, and what the core did is not known; so is an
 * increase that no time allows.
 */
function toTickIncreases(changes: CpuTicks): CpuTicks | undefined {
  let forward = 0;
  let back = 0;
  for (const mode of CPU_MODES) {
    if (changes[mode] > 0) forward += changes[mode];
    else if (mode !== 'iowait') back -= changes[mode];
  }
  if (back > forward * MAX_SHARE_BACK || forward > MAX_TICKS) return undefined;
  return toTicks((mode) => Math.max(0, changes[mode]));
}

function sumTicks(increases: readonly CpuTicks[]): CpuTicks {
  return toTicks((mode) => increases.reduce((sum, ticks) => sum + ticks[mode], 0));
}

function toTicks(count: (mode: CpuMode, index: number) => number): CpuTicks {
  return Object.fromEntries(CPU_MODES.map((mode, index) => [mode, count(mode, index)])) as CpuTicks;
}
