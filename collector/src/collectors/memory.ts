import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError, type KernelSource } from '../kernel/kernel-files.ts';
import { parseDecimal, splitFields, splitLines, createLineError } from './parsing/kernel-text.ts';

const bytes = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'bytes', help });
const SERIES = {
  usedBytes: bytes('memory.used_bytes', 'Memory that could not be freed without swapping: total less available.'),
  availableBytes: bytes('memory.available_bytes', 'Memory that new programs could have without swapping.'),
  swapUsedBytes: bytes('memory.swap_used_bytes', 'Swap space in use.'),
} as const;
type MemoryAmount = keyof typeof SERIES;
export const MEMORY_SERIES: readonly SeriesDeclaration[] = Object.values(SERIES);

const PATH = '/proc/meminfo';
const MEMINFO_NAMES = ['MemTotal', 'MemAvailable', 'MemFree', 'Buffers', 'Cached', 'SwapTotal', 'SwapFree'] as const;
type MeminfoName = (typeof MEMINFO_NAMES)[number];

/**
 * Memory and swap in use, in bytes, from the text of /proc/meminfo.
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
  // Kernels before 3.14 have no MemAvailable (proc.rst). What stands in for it is too high by the shared memory, which
  // counts as cached and cannot be dropped.
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

/** Containers that see their own limits beside the host's figures do show this; no number is better than one below 0. */
function subtract(total: number, free: number, fault: string): number {
  if (free > total) throw createMalformedError(PATH, fault);
  return total - free;
}

/** Lines read `MemTotal:  1024 kB`, and the kernel's kB are 1,024 bytes. Other lines are none of our business. */
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

/** Memory and swap in use. */
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
