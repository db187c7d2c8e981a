import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseNumberFile } from '../parsing/kernel-text.ts';
import { readEach } from './partial-result.ts';

const hertz = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'hertz', help });
const current = hertz(
  'cpu.frequency_hertz',
  'Clock of the cores of a frequency policy, as the driver measures or estimates it.',
);
const limit = hertz(
  'cpu.frequency_limit_hertz',
  'Highest clock that the policy may choose now; below the maximum while the device is throttled.',
);
const maximum = hertz('cpu.frequency_max_hertz', 'Highest clock of the cores of the policy.');
export const FREQUENCY_SERIES: readonly SeriesDeclaration[] = [current, limit, maximum];

/** One directory for each policy: the cores of a cluster share a clock (Documentation/admin-guide/pm/cpufreq.rst). */
const DIRECTORY = 'devices/system/cpu/cpufreq';

/**
 * Parses a file with kHz: returns hertz, or undefined for `<unknown>`, which the kernel writes if the driver does not know.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseKilohertz(path: string, text: string): number | undefined {
  return text.replace(/\n$/, '') === '<unknown>' ? undefined : parseNumberFile(path, text) * 1000;
}

/** Reads the frequencies of the processor; absent if the kernel does not scale them, as in most virtual machines. */
export class CpuFrequency {
  readonly #kernel: KernelSource;
  /** Highest frequency by policy, hertz; it does not change. */
  readonly #maxima = new Map<string, number>();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /** @throws AgentError as `readEach` does */
  async read(): Promise<readonly Reading[]> {
    const entries = await this.#kernel.sysEntries(DIRECTORY);
    const policies = entries.filter((entry) => /^policy[0-9]+$/.test(entry)).sort(compareByNumber);
    return readEach(policies.map((policy) => () => this.#readPolicy(policy)));
  }

  async #readPolicy(policy: string): Promise<readonly Reading[]> {
    const labels = { policy: policy.slice('policy'.length) };
    const highest = this.#maxima.get(policy) ?? (await this.#readHertz(policy, 'cpuinfo_max_freq'));
    if (highest !== undefined) this.#maxima.set(policy, highest);
    const values = [
      [current, await this.#readHertz(policy, 'scaling_cur_freq')],
      [limit, await this.#readHertz(policy, 'scaling_max_freq')],
      [maximum, highest],
    ] as const;
    return values.flatMap(([series, value]) => (value === undefined ? [] : [{ series, labels, value }]));
  }

  /** The kernel keeps the files of a policy whose cores are all offline; reading them fails with EBUSY. */
  async #readHertz(policy: string, file: string): Promise<number | undefined> {
    const path = `${DIRECTORY}/${policy}/${file}`;
    const text = await readOptional(this.#kernel.sys(path), undefined);
    return text === undefined ? undefined : parseKilohertz(`/sys/${path}`, text);
  }
}
