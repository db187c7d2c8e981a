import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseNumberFile } from '../parsing/kernel-text.ts';
import { Discovery } from './discovery.ts';
import { findDevicePlace, readName } from './sensors.ts';
import { createUniqueNames, type NamedThing } from './unique-names.ts';

const state = declareSeries({
  name: 'thermal.cooling_state',
  kind: 'gauge',
  unit: 'none',
  help: 'How much the device cools: 0 not at all, up to its highest state; a processor cools by running slower.',
});
const highestState = declareSeries({
  name: 'thermal.cooling_state_max',
  kind: 'gauge',
  unit: 'none',
  help: 'The highest state of the cooling device.',
});
export const COOLING_SERIES: readonly SeriesDeclaration[] = [state, highestState];

const DIRECTORY = 'class/thermal';

interface CoolingDevice {
  readonly device: string;
  readonly path: string;
  readonly type: string;
}

/** Until Linux 6.2 it returns -1 while it injects no idle time, since then 0 (drivers/thermal/intel/intel_powerclamp.c). */
const POWER_CLAMP = 'intel_powerclamp';
const IDLE_POWER_CLAMP = '-1';

/**
 * Reads cooling devices: fans, and processors that are slowed down (Documentation/ABI/testing/sysfs-class-thermal). The
 * label is the type; several devices of one type have added where they are attached, or their directory's name. A device
 * whose highest state is 0 cools nothing. One that returns an error is left out: like sensors, they do while hardware
 * sleeps.
 */
export class Cooling {
  readonly #kernel: KernelSource;
  readonly #noteMalformed: (file: string, error: AgentError) => void;
  readonly #discovery = new Discovery<readonly CoolingDevice[]>();
  /** Highest states by path, once read; they do not change. */
  #highest = new Map<string, number>();

  /** `noteMalformed` is called with each attribute whose text is no state. */
  constructor(kernel: KernelSource, noteMalformed: (file: string, error: AgentError) => void = () => undefined) {
    this.#kernel = kernel;
    this.#noteMalformed = noteMalformed;
  }

  /** @throws AgentError KERNEL_FILE_ABSENT if the kernel knows no cooling device */
  async read(): Promise<readonly Reading[]> {
    const entries = await this.#kernel.sysEntries(DIRECTORY);
    const directories = entries.filter((entry) => /^cooling_device[0-9]+$/.test(entry)).sort(compareByNumber);
    const devices = await this.#discovery.find(directories.join(), () => this.#find(directories));
    const readings: Reading[] = [];
    for (const device of devices) readings.push(...(await this.#readDevice(device)));
    if (devices.some(({ path }) => (this.#highest.get(path) ?? 0) > 0)) return readings;
    throw new AgentError(`/sys/${DIRECTORY} has no cooling device`, { code: 'KERNEL_FILE_ABSENT' });
  }

  async #find(directories: readonly string[]): Promise<readonly CoolingDevice[]> {
    const devices: (NamedThing & { readonly path: string })[] = [];
    for (const directory of directories) {
      const path = `${DIRECTORY}/${directory}`;
      const name = await readName(this.#kernel, `${path}/type`, directory);
      devices.push({ name, path, marks: [await findDevicePlace(this.#kernel, path)], directory });
    }
    this.#highest = new Map();
    const labels = createUniqueNames(devices);
    return devices.map(({ name, path }, index) => ({ device: labels[index] as string, path, type: name }));
  }

  async #readDevice({ device, path, type }: CoolingDevice): Promise<Reading[]> {
    const highest = this.#highest.get(path) ?? (await this.#readNumber(`${path}/max_state`));
    if (highest === undefined) return [];
    this.#highest.set(path, highest);
    if (highest === 0) return [];
    const value = await this.#readNumber(`${path}/cur_state`, type === POWER_CLAMP);
    if (value === undefined) return [];
    const labels = { device };
    return [
      { series: state, labels, value },
      { series: highestState, labels, value: highest },
    ];
  }

  async #readNumber(file: string, isPowerClamp = false): Promise<number | undefined> {
    try {
      const text = await this.#kernel.sys(file);
      return isPowerClamp && text.trim() === IDLE_POWER_CLAMP ? 0 : parseNumberFile(`/sys/${file}`, text);
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code === 'KERNEL_FILE_ABSENT') this.#discovery.noteAbsent(file);
      if (error.code === 'KERNEL_FILE_MALFORMED') this.#noteMalformed(file, error);
      return undefined;
    }
  }
}
