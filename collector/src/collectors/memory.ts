import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { parseDecimal, splitFields, splitLines, createLineError } from './parsing/kernel-text.ts';

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

/**
 * Parses /proc/meminfo: returns memory and swap space in bytes.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseMeminfo(text: string): Readonly<Record<MemoryAmount, number>> {
  const amounts = parseAmounts(text);
  const requireBytes = (name: MeminfoName): number => {
    const bytes = amounts.get(name);
    if (bytes === undefined) throw createMalformedError(PATH, `no line ${name}`);
    return bytes;
  };
  // Kernels before 3.14 have no MemAvailable (proc.rst). The sum is too high by the shared memory, which counts as
  // cached and cannot be dropped.
  const available =
    amounts.get('MemAvailable') ?? requireBytes('MemFree') + requireBytes('Buffers') + requireBytes('Cached');
  return {
    usedBytes: subtract(requireBytes('MemTotal'), available, 'more memory is available than there is'),
    availableBytes: available,
    swapUsedBytes: subtract(
      requireBytes('SwapTotal'),
      requireBytes('SwapFree'),
      'more swap space is free than there is',
    ),
  };
}

/** Refuses more free than total, as containers show that see their own limit beside the numbers of the host. */
function subtract(total: number, free: number, cause: string): number {
  if (free > total) throw createMalformedError(PATH, cause);
  return total - free;
}

/** Parses lines such as `MemTotal:  1024 kB`, in which a kB is 1,024 bytes, and ignores those of other names. */
function parseAmounts(text: string): ReadonlyMap<MeminfoName, number> {
  const amounts = new Map<MeminfoName, number>();
  for (const line of splitLines(PATH, text)) {
    const [name, amount = '', unit, ...more] = splitFields(line.text);
    const wanted = MEMINFO_NAMES.find((one) => name === `${one}:`);
    if (wanted === undefined) continue;
    if (amounts.has(wanted)) throw createLineError(line, `a second line ${wanted}`);
    if (unit !== 'kB' || more.length > 0) throw createLineError(line, `${wanted} is not one number of kB`);
    amounts.set(wanted, parseDecimal(line, amount) * 1024);
  }
  return amounts;
}

/** Collects memory and swap space. */
export class MemoryCollector implements Collector {
  readonly name = 'memory';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  async collect(): Promise<readonly Reading[]> {
    const memory = parseMeminfo(await this.#kernel.proc('meminfo'));
    return (Object.keys(SERIES) as MemoryAmount[]).map((one) => ({
      series: SERIES[one],
      labels: {},
      value: memory[one],
    }));
  }
}
