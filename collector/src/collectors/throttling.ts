import type { Reading } from '@thugshells/shared/sample.js';
import { declareSeries } from '@thugshells/shared/series.js';

import { whereAbsent, type KernelSource } from '../kernel-files.js';
import { byNumber, hexFields, numberLine } from './kernel-text.js';
import { readEach } from './partly-read.js';

const coreThrottles = declareSeries({
  name: 'cpu.throttles_total',
  kind: 'counter',
  unit: 'none',
  help: 'Times that the core was slowed down because it was too hot; the threads of one core tell the same.',
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
  help: '1 while the firmware of a Raspberry Pi holds the processor back for the reason.',
});
const throttledSinceBoot = declareSeries({
  name: 'cpu.throttled_since_boot',
  kind: 'gauge',
  unit: 'none',
  help: '1 if the firmware of a Raspberry Pi has held the processor back for the reason since the board was booted.',
});

const CPUS = 'devices/system/cpu';
/** Of the Raspberry Pi's own kernel; what `vcgencmd get_throttled` prints, in hex: bits 0 to 3 now, 16 to 19 since boot. */
const FIRMWARE = 'devices/platform/soc/soc:firmware/get_throttled';
const SINCE_BOOT_BIT = 16;
const REASONS = ['under_voltage', 'frequency_capped', 'throttled', 'soft_temperature_limit'] as const;

/**
 * How the processor is held back: counters of Intel's thermal interrupts (arch/x86, therm_throt.c) and what the
 * firmware of a Raspberry Pi says. Boards that throttle by frequency show it in cpu.frequency_limit_hertz.
 */
export class Throttling {
  readonly #kernel: KernelSource;
  /** The cores that were switched on when `#counters` were found; those of a core go and come with it. */
  #foundAmong: string | undefined;
  #counters: readonly { readonly file: string; readonly series: typeof coreThrottles; readonly labels: Record<string, string> }[] = [];

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /** @throws AgentError as `readEach` does */
  async read(): Promise<readonly Reading[]> {
    await this.#find();
    const counters = this.#counters.map(({ file, series, labels }) => async () => [
      { series, labels, value: numberLine(`/sys/${file}`, await this.#kernel.sys(file)) },
    ]);
    return readEach([...counters, async () => parseThrottled(`/sys/${FIRMWARE}`, await this.#kernel.sys(FIRMWARE))]);
  }

  async #find(): Promise<void> {
    const online = await whereAbsent(this.#kernel.sys(`${CPUS}/online`), '');
    if (online === this.#foundAmong) return;
    const entries = await whereAbsent(this.#kernel.sysEntries(CPUS), []);
    const packages = new Set<string>();
    const counters = [];
    for (const entry of entries.filter((one) => /^cpu[0-9]+$/.test(one)).sort(byNumber)) {
      const folder = `${CPUS}/${entry}/thermal_throttle`;
      const files: readonly string[] = await whereAbsent(this.#kernel.sysEntries(folder), []);
      if (files.includes('core_throttle_count')) {
        counters.push({ file: `${folder}/core_throttle_count`, series: coreThrottles, labels: { core: entry.slice('cpu'.length) } });
      }
      if (!files.includes('package_throttle_count')) continue;
      const id = (await whereAbsent(this.#kernel.sys(`${CPUS}/${entry}/topology/physical_package_id`), '0')).trim();
      if (packages.has(id)) continue;
      packages.add(id);
      counters.push({ file: `${folder}/package_throttle_count`, series: packageThrottles, labels: { package: id } });
    }
    this.#counters = counters;
    this.#foundAmong = online;
  }
}

/**
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseThrottled(path: string, text: string): Reading[] {
  const [bits = 0] = hexFields(path, text, 1);
  const isSet = (bit: number) => Math.floor(bits / 2 ** bit) % 2;
  return REASONS.flatMap((reason, bit) => [
    { series: throttled, labels: { reason }, value: isSet(bit) },
    { series: throttledSinceBoot, labels: { reason }, value: isSet(SINCE_BOOT_BIT + bit) },
  ]);
}
