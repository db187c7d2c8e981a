import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseNumberFile } from '../parsing/kernel-text.ts';
import { readName, toUniqueName } from './sensors.ts';

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
  readonly file: string;
  readonly highest: number;
}

/**
 * Reads cooling devices: fans, and processors that are slowed down (Documentation/ABI/testing/sysfs-class-thermal). The
 * label is the type; of several devices of one type all but the first have their directory's name added. A device whose
 * highest state is 0 cools nothing. One that returns an error is left out: like sensors, they do while hardware sleeps.
 */
export class Cooling {
  readonly #kernel: KernelSource;
  #foundIn = '';
  #devices: readonly CoolingDevice[] = [];

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  /** @throws AgentError KERNEL_FILE_ABSENT if the kernel knows no cooling device */
  async read(): Promise<readonly Reading[]> {
    const entries = await this.#kernel.sysEntries(DIRECTORY);
    await this.#find(entries.filter((entry) => /^cooling_device[0-9]+$/.test(entry)).sort(compareByNumber));
    if (this.#devices.length === 0) {
      throw new AgentError(`/sys/${DIRECTORY} has no cooling device`, { code: 'KERNEL_FILE_ABSENT' });
    }
    const readings: Reading[] = [];
    for (const { device, file, highest } of this.#devices) {
      const value = await this.#readNumber(file);
      if (value === undefined) continue;
      const labels = { device };
      readings.push({ series: state, labels, value }, { series: highestState, labels, value: highest });
    }
    return readings;
  }

  async #find(directories: readonly string[]): Promise<void> {
    const key = directories.join();
    if (key === this.#foundIn) return;
    const devices = new Map<string, CoolingDevice>();
    for (const directory of directories) {
      const path = `${DIRECTORY}/${directory}`;
      const device = toUniqueName(devices, await readName(this.#kernel, `${path}/type`, directory), directory);
      devices.set(device, {
        device,
        file: `${path}/cur_state`,
        highest: (await this.#readNumber(`${path}/max_state`)) ?? 0,
      });
    }
    this.#devices = [...devices.values()].filter(({ highest }) => highest > 0);
    this.#foundIn = key;
  }

  async #readNumber(file: string): Promise<number | undefined> {
    try {
      return parseNumberFile(`/sys/${file}`, await this.#kernel.sys(file));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      this.#foundIn = ''; // Another device may have its directory by now.
      return undefined;
    }
  }
}
