import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseNumberFile } from '../parsing/kernel-text.ts';
import { readEach } from './partial-result.ts';
import { readName } from './sensors.ts';

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

const CPUS = 'devices/system/cpu';
/** One directory for each policy: the cores of a cluster share a clock (Documentation/admin-guide/pm/cpufreq.rst). */
const DIRECTORY = `${CPUS}/cpufreq`;

/** The directory of a frequency policy. */
interface PolicyFolder {
  /** Its number: that of its first core. */
  readonly policy: string;
  readonly path: string;
}

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
  /** What is below the cores, and what it was found among. */
  #belowCores: { readonly among: string; readonly folders: readonly PolicyFolder[] } = { among: '', folders: [] };

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /**
   * Reads the frequencies of all policies. `cores` is a text that changes with the cores that are online.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if there is none; else as `readEach` does
   */
  async read(cores: string): Promise<readonly Reading[]> {
    const entries = await readOptional(this.#kernel.sysEntries(DIRECTORY), undefined);
    const policies = (entries ?? []).filter((entry) => /^policy[0-9]+$/.test(entry)).sort(compareByNumber);
    const folders = policies.map((entry) => ({ policy: entry.slice('policy'.length), path: `${DIRECTORY}/${entry}` }));
    const found = folders.length > 0 ? folders : await this.#findOnce(`${cores} ${(entries ?? []).join()}`);
    if (entries === undefined && found.length === 0)
      throw new AgentError(`/sys/${DIRECTORY} is absent`, { code: 'KERNEL_FILE_ABSENT' });
    return readEach(found.map((folder) => () => this.#readPolicy(folder)));
  }

  /** Searches below the cores, again only if something has changed: most devices without policies have nothing there. */
  async #findOnce(among: string): Promise<readonly PolicyFolder[]> {
    if (this.#belowCores.among !== among) this.#belowCores = { among, folders: await this.#findBelowCores() };
    return this.#belowCores.folders;
  }

  /**
   * Finds the policies of kernels before 4.3, which have one below each online core, `cpu0/cpufreq`; those of cores that
   * share a clock are one, which `related_cpus` shows.
   */
  async #findBelowCores(): Promise<readonly PolicyFolder[]> {
    const entries = await readOptional(this.#kernel.sysEntries(CPUS), []);
    const folders = new Map<string, PolicyFolder>();
    for (const entry of entries.filter((one) => /^cpu[0-9]+$/.test(one)).sort(compareByNumber)) {
      const path = `${CPUS}/${entry}/cpufreq`;
      if ((await readOptional(this.#kernel.sysEntries(path), [])).length === 0) continue;
      const core = entry.slice('cpu'.length);
      const related = await readName(this.#kernel, `${path}/related_cpus`, core);
      const policy = /^[0-9]+/.exec(related)?.[0] ?? core;
      if (!folders.has(policy)) folders.set(policy, { policy, path });
    }
    return [...folders.values()];
  }

  async #readPolicy({ policy, path }: PolicyFolder): Promise<readonly Reading[]> {
    const labels = { policy };
    const highest = this.#maxima.get(policy) ?? (await this.#readHertz(path, 'cpuinfo_max_freq'));
    if (highest !== undefined) this.#maxima.set(policy, highest);
    const values = [
      [current, await this.#readHertz(path, 'scaling_cur_freq')],
      [limit, await this.#readHertz(path, 'scaling_max_freq')],
      [maximum, highest],
    ] as const;
    return values.flatMap(([series, value]) => (value === undefined ? [] : [{ series, labels, value }]));
  }

  /** The kernel keeps the files of a policy whose cores are all offline; reading them fails with EBUSY. */
  async #readHertz(folder: string, file: string): Promise<number | undefined> {
    const path = `${folder}/${file}`;
    const text = await readOptional(this.#kernel.sys(path), undefined);
    return text === undefined ? undefined : parseKilohertz(`/sys/${path}`, text);
  }
}
