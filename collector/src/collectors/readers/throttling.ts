import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseNumberFile } from '../parsing/kernel-text.ts';
import { Discovery } from './discovery.ts';
import { findFirmwareFlags, FIRMWARE_SERIES } from './firmware-flags.ts';
import { readEach, type SourceReader } from './partial-result.ts';
import { listChips, readName, type Chip } from './sensors.ts';

const coreThrottles = declareSeries({
  name: 'cpu.throttles_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that the core was slowed down because it was too hot; the threads of one core report the same.',
});
const packageThrottles = declareSeries({
  name: 'cpu.package_throttles_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that the whole package was slowed down because it was too hot.',
});
export const THROTTLING_SERIES: readonly SeriesDeclaration[] = [coreThrottles, packageThrottles, ...FIRMWARE_SERIES];

const CPUS = 'devices/system/cpu';

/**
 * Reads how the processor is throttled: counters of Intel's thermal interrupts (arch/x86, therm_throt.c), and flags of the
 * firmware of a Raspberry Pi. Devices that throttle by frequency show it in cpu.frequency_limit_hertz.
 */
export class Throttling {
  readonly #kernel: KernelSource;
  readonly #discovery = new Discovery<readonly SourceReader[]>();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /**
   * Reads all counters and flags. `cores` is a text that changes with the cores that are online: others have no counters.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if there is no such source; else as `readEach` does
   */
  async read(cores: string): Promise<readonly Reading[]> {
    const { chips, failures } = await this.#listChips();
    const sources = await this.#discovery.find(JSON.stringify([cores, chips]), async () => [
      ...(await this.#findCounters()),
      ...(await findFirmwareFlags(this.#kernel, chips)),
    ]);
    if (sources.length + failures.length > 0) return readEach([...sources, ...failures]);
    throw new AgentError(`/sys/${CPUS} has no throttling counter`, { code: 'KERNEL_FILE_ABSENT' });
  }

  /** Lists the chips; if they cannot be listed, a source that fails is named beside those that can be read. */
  async #listChips(): Promise<{ readonly chips: readonly Chip[]; readonly failures: readonly SourceReader[] }> {
    try {
      return { chips: await listChips(this.#kernel), failures: [] };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      return { chips: [], failures: [() => Promise.reject(error)] };
    }
  }

  async #findCounters(): Promise<SourceReader[]> {
    const packages = new Set<string>();
    const sources: SourceReader[] = [];
    for (const entry of (await this.#listEntries(CPUS))
      .filter((one) => /^cpu[0-9]+$/.test(one))
      .sort(compareByNumber)) {
      const folder = `${CPUS}/${entry}/thermal_throttle`;
      const files = await this.#listEntries(folder);
      const core = entry.slice('cpu'.length);
      if (files.includes('core_throttle_count'))
        sources.push(this.#createCounterReader(coreThrottles, { core }, `${folder}/core_throttle_count`));
      if (!files.includes('package_throttle_count')) continue;
      const id = await readName(this.#kernel, `${CPUS}/${entry}/topology/physical_package_id`, '0');
      if (!packages.has(id))
        sources.push(this.#createCounterReader(packageThrottles, { package: id }, `${folder}/package_throttle_count`));
      packages.add(id);
    }
    return sources;
  }

  #createCounterReader(series: SeriesDeclaration, labels: Labels, file: string): SourceReader {
    return async () => [{ series, labels, value: parseNumberFile(`/sys/${file}`, await this.#kernel.sys(file)) }];
  }

  #listEntries(directory: string): Promise<readonly string[]> {
    return readOptional(this.#kernel.sysEntries(directory), []);
  }
}
