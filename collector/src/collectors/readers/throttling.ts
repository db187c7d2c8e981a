import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseHexFile, parseNumberFile } from '../parsing/kernel-text.ts';
import { readEach, type SourceReader } from './partial-result.ts';
import { readName } from './sensors.ts';

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
const throttled = declareSeries({
  name: 'cpu.throttled',
  kind: 'gauge',
  unit: 'none',
  help: '1 while the firmware of a Raspberry Pi throttles the processor for the reason.',
});
const throttledSinceBoot = declareSeries({
  name: 'cpu.throttled_since_boot',
  kind: 'gauge',
  unit: 'none',
  help: '1 if the firmware of a Raspberry Pi has throttled the processor for the reason since boot.',
});
export const THROTTLING_SERIES: readonly SeriesDeclaration[] = [
  coreThrottles,
  packageThrottles,
  throttled,
  throttledSinceBoot,
];

const CPUS = 'devices/system/cpu';
/** Of Raspberry Pi's kernel; the output of `vcgencmd get_throttled`, in hex: bits 0 to 3 now, 16 to 19 since boot. */
const FIRMWARE = 'devices/platform/soc/soc:firmware';
const FIRMWARE_FILE = 'get_throttled';
const SINCE_BOOT_BIT = 16;
const REASONS = ['under_voltage', 'frequency_capped', 'throttled', 'soft_temperature_limit'] as const;

/**
 * Reads how the processor is throttled: counters of Intel's thermal interrupts (arch/x86, therm_throt.c), and flags of the
 * firmware of a Raspberry Pi. Devices that throttle by frequency show it in cpu.frequency_limit_hertz.
 */
export class Throttling {
  readonly #kernel: KernelSource;
  /** The cores that were online when `#sources` were found; an offline core has no counters. */
  #foundAmong: string | undefined;
  #sources: readonly SourceReader[] = [];

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /**
   * Reads all counters and flags. `cores` is a text that changes with the cores that are online.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if there is no such source; else as `readEach` does
   */
  async read(cores: string): Promise<readonly Reading[]> {
    if (cores !== this.#foundAmong) {
      this.#sources = [...(await this.#findCounters()), ...(await this.#findFirmware())];
      this.#foundAmong = cores;
    }
    if (this.#sources.length > 0) return readEach(this.#sources);
    throw new AgentError(`/sys/${CPUS} has no throttling counter`, { code: 'KERNEL_FILE_ABSENT' });
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

  async #findFirmware(): Promise<SourceReader[]> {
    if (!(await this.#listEntries(FIRMWARE)).includes(FIRMWARE_FILE)) return [];
    const file = `${FIRMWARE}/${FIRMWARE_FILE}`;
    return [async () => parseThrottled(`/sys/${file}`, await this.#kernel.sys(file))];
  }

  #createCounterReader(series: SeriesDeclaration, labels: Labels, file: string): SourceReader {
    return async () => [{ series, labels, value: parseNumberFile(`/sys/${file}`, await this.#kernel.sys(file)) }];
  }

  #listEntries(directory: string): Promise<readonly string[]> {
    return readOptional(this.#kernel.sysEntries(directory), []);
  }
}

/**
 * Parses the flags of the firmware.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseThrottled(path: string, text: string): Reading[] {
  const [bits = 0] = parseHexFile(path, text, 1);
  const isSet = (bit: number) => Math.floor(bits / 2 ** bit) % 2;
  return REASONS.flatMap((reason, bit) => [
    { series: throttled, labels: { reason }, value: isSet(bit) },
    { series: throttledSinceBoot, labels: { reason }, value: isSet(SINCE_BOOT_BIT + bit) },
  ]);
}
