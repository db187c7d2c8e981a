import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector, LeftOutSamples } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { createLineError, parseDecimal, parseEachLine, splitFields, type KernelLine } from './parsing/kernel-text.ts';
import { requireNoErrors } from './readers/partial-result.ts';

const bytes = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'bytes', help });
const SERIES = {
  usedBytes: bytes('memory.used_bytes', 'Memory in use: total minus available.'),
  availableBytes: bytes('memory.available_bytes', 'Memory that is available to new programs without swapping.'),
  swapUsedBytes: bytes('memory.swap_used_bytes', 'Swap space in use.'),
} as const;
type MemoryAmount = keyof typeof SERIES;
export const MEMORY_SERIES: readonly SeriesDeclaration[] = Object.values(SERIES);

const PATH = '/proc/meminfo';
const MEMINFO_NAMES = ['MemTotal', 'MemAvailable', 'MemFree', 'Buffers', 'Cached', 'SwapTotal', 'SwapFree'] as const;
type MeminfoName = (typeof MEMINFO_NAMES)[number];

/** What /proc/meminfo has, in bytes, and what of it is not known. */
export interface Meminfo {
  readonly amounts: Readonly<Partial<Record<MemoryAmount, number>>>;
  /** Why amounts are missing: KERNEL_FILE_MALFORMED. */
  readonly errors: readonly AgentError[];
  /** What is not as it should be though no amount is missing for it. */
  readonly remark?: string;
}

/**
 * Parses /proc/meminfo. A line that cannot be used costs the amounts that need it.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the file is empty
 */
export function parseMeminfo(text: string): Meminfo {
  const { lines, truncated } = parseLines(text);
  const errors = new Set<AgentError>(truncated);
  const attempt = (compute: () => number): number | undefined => {
    try {
      return compute();
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      errors.add(error);
      return undefined;
    }
  };
  const memory = computeMemory(lines, attempt);
  const swapUsedBytes = attempt(() => computeSwapUsed(lines));
  const amounts = { ...memory, ...(swapUsedBytes === undefined ? {} : { swapUsedBytes }) };
  const remark = describeSwap(lines);
  return { amounts, errors: [...errors], ...(remark === undefined ? {} : { remark }) };
}

/** Bytes by name, or why the line of that name cannot be used. */
type MeminfoLines = ReadonlyMap<MeminfoName, number | AgentError>;

function requireBytes(lines: MeminfoLines, name: MeminfoName): number {
  const bytes = lines.get(name);
  if (bytes === undefined) throw createMalformedError(PATH, `no line ${name}`);
  if (bytes instanceof AgentError) throw bytes;
  return bytes;
}

/**
 * Computes memory. More available than there is, as containers show that see their own limit beside the numbers of the host,
 * leaves neither known.
 */
function computeMemory(lines: MeminfoLines, attempt: (compute: () => number) => number | undefined) {
  const total = attempt(() => requireBytes(lines, 'MemTotal'));
  const availableBytes = attempt(() => {
    const available = computeAvailable(lines);
    if (total !== undefined && available > total)
      throw createMalformedError(PATH, 'more memory is available than there is');
    return available;
  });
  if (availableBytes === undefined) return {};
  return total === undefined ? { availableBytes } : { usedBytes: total - availableBytes, availableBytes };
}

/**
 * Kernels before 3.14 have no MemAvailable (proc.rst). The sum is too high by the shared memory, which counts as cached and
 * cannot be dropped.
 */
function computeAvailable(lines: MeminfoLines): number {
  if (lines.has('MemAvailable')) return requireBytes(lines, 'MemAvailable');
  return requireBytes(lines, 'MemFree') + requireBytes(lines, 'Buffers') + requireBytes(lines, 'Cached');
}

/** Without swap space none is in use, whatever the file has as free: lxcfs subtracts what it does not count from 0. */
function computeSwapUsed(lines: MeminfoLines): number {
  const total = requireBytes(lines, 'SwapTotal');
  const free = requireBytes(lines, 'SwapFree');
  if (total === 0) return 0;
  if (free > total) throw createMalformedError(PATH, 'more swap space is free than there is');
  return total - free;
}

function describeSwap(lines: MeminfoLines): string | undefined {
  const free = lines.get('SwapFree');
  if (lines.get('SwapTotal') !== 0 || typeof free !== 'number' || free === 0) return undefined;
  return `${PATH}: SwapFree is ${free / 1024} kB, without swap space`;
}

/** Parses lines such as `MemTotal:  1024 kB`, in which a kB is 1,024 bytes, and ignores those of other names. */
function parseLines(text: string): { readonly lines: MeminfoLines; readonly truncated: readonly AgentError[] } {
  const lines = new Map<MeminfoName, number | AgentError>();
  const truncated = parseEachLine(PATH, text, (line) => {
    const name = MEMINFO_NAMES.find((one) => line.text.startsWith(`${one}:`));
    if (name === undefined) return;
    lines.set(name, lines.has(name) ? createLineError(line, `a second line ${name}`) : parseBytes(line, name));
  });
  return { lines, truncated };
}

/** WSL 1 has no blank before a number that is wider than its column. */
function parseBytes(line: KernelLine, name: MeminfoName): number | AgentError {
  const [amount = '', unit, ...more] = splitFields(line.text.slice(name.length + 1));
  if (unit !== 'kB' || more.length > 0) return createLineError(line, `${name} is not one number of kB`);
  try {
    return parseDecimal(line, amount) * 1024;
  } catch (error) {
    if (error instanceof AgentError) return error;
    throw error;
  }
}

/** Collects memory and swap space. */
export class MemoryCollector implements Collector {
  readonly name = 'memory';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  #remark: string | undefined;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  get leftOut(): readonly LeftOutSamples[] {
    return this.#remark === undefined ? [] : [{ event: 'value left out', count: 0, reason: this.#remark }];
  }

  async collect(): Promise<readonly Reading[]> {
    this.#remark = undefined;
    const { amounts, errors, remark } = parseMeminfo(await this.#kernel.proc('meminfo'));
    this.#remark = remark;
    const readings = (Object.keys(SERIES) as MemoryAmount[]).flatMap((one) => {
      const value = amounts[one];
      return value === undefined ? [] : [{ series: SERIES[one], labels: {}, value }];
    });
    return requireNoErrors(errors, readings);
  }
}
