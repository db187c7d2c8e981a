import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { malformed, type KernelSource } from '../kernel/kernel-files.ts';
import { decimalOf, fieldsOf, linesOf, malformedLine } from './parsing/kernel-text.ts';

const bytes = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'bytes', help });
const SERIES = {
  usedBytes: bytes('memory.used_bytes', 'Memory that could not be freed without swapping: total less available.'),
  availableBytes: bytes('memory.available_bytes', 'Memory that new programs could have without swapping.'),
  swapUsedBytes: bytes('memory.swap_used_bytes', 'Swap space in use.'),
} as const;
type Amount = keyof typeof SERIES;

const PATH = '/proc/meminfo';
const WANTED = ['MemTotal', 'MemAvailable', 'MemFree', 'Buffers', 'Cached', 'SwapTotal', 'SwapFree'] as const;
type Wanted = (typeof WANTED)[number];

/**
 * Memory and swap in use, in bytes, from the text of /proc/meminfo.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseMeminfo(text: string): Readonly<Record<Amount, number>> {
  const amounts = parseAmounts(text);
  const bytesOf = (name: Wanted): number => {
    const bytes = amounts.get(name);
    if (bytes === undefined) throw malformed(PATH, `no line ${name}`);
    return bytes;
  };
  // Kernels before 3.14 have no MemAvailable (proc.rst). What stands in for it is too high by the shared memory, which
  // counts as cached and cannot be dropped.
  const available = amounts.get('MemAvailable') ?? bytesOf('MemFree') + bytesOf('Buffers') + bytesOf('Cached');
  return {
    usedBytes: difference(bytesOf('MemTotal'), available, 'more memory is available than there is'),
    availableBytes: available,
    swapUsedBytes: difference(bytesOf('SwapTotal'), bytesOf('SwapFree'), 'more swap space is free than there is'),
  };
}

/** Containers that see their own limits beside the host's figures do show this; no number is better than one below 0. */
function difference(total: number, free: number, fault: string): number {
  if (free > total) throw malformed(PATH, fault);
  return total - free;
}

/** Lines read `MemTotal:  1024 kB`, and the kernel's kB are 1,024 bytes. Other lines are none of our business. */
function parseAmounts(text: string): ReadonlyMap<Wanted, number> {
  const amounts = new Map<Wanted, number>();
  for (const line of linesOf(PATH, text)) {
    const [name, amount = '', unit, ...more] = fieldsOf(line.text);
    const wanted = WANTED.find((one) => name === `${one}:`);
    if (wanted === undefined) continue;
    if (amounts.has(wanted)) throw malformedLine(line, `a second line ${wanted}`);
    if (unit !== 'kB' || more.length > 0) throw malformedLine(line, `${wanted} is not one number of kB`);
    amounts.set(wanted, decimalOf(line, amount) * 1024);
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
    return (Object.keys(SERIES) as Amount[]).map((one) => ({ series: SERIES[one], labels: {}, value: memory[one] }));
  }
}
