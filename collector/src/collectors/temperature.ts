import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { Cooling, COOLING_SERIES } from './readers/cooling.ts';
import { createLineError, parseAttribute, quote } from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { findSensors, listSensorDirectories, type Sensor } from './readers/sensors.ts';

const temperatureCelsius = declareSeries({
  name: 'cpu.temperature_celsius',
  kind: 'gauge',
  unit: 'celsius',
  help: 'Temperature of a thermal zone or hardware sensor of the device.',
});
export const TEMPERATURE_SERIES: readonly SeriesDeclaration[] = [temperatureCelsius, ...COOLING_SERIES];

/** Absolute zero in thousandths of a degree; the kernel writes -274000 for an unknown temperature (THERMAL_TEMP_INVALID). */
const ABSOLUTE_ZERO = -273_150;

/**
 * Parses a file with thousandths of a degree: returns degrees Celsius.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseTemperature(path: string, text: string): number {
  const line = parseAttribute(path, text);
  if (!/^-?[0-9]{1,10}$/.test(line.text)) throw createLineError(line, `${quote(line.text)} is not a number`);
  const thousandths = Number(line.text);
  if (thousandths < ABSOLUTE_ZERO) throw createLineError(line, `${thousandths} is below absolute zero`);
  return thousandths / 1000;
}

/**
 * Collects the temperature of every sensor, and the state of cooling devices. Sensors return errors while their hardware
 * sleeps (a modem, a GPU, a disk: EAGAIN, EIO, ENODATA, EINVAL), so one that fails is left out until it recovers; the
 * collector fails only if all of them do. They are read one after the other: a driver that hangs occupies one thread, not
 * all of Node's.
 */
export class TemperatureCollector implements Collector {
  readonly name = 'temperature';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #cooling: Cooling;
  /** The directories in which `#sensors` were found; names of sensors do not change and are read once. */
  #foundIn = '';
  #sensors: readonly Sensor[] = [];

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#cooling = new Cooling(kernel);
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([() => this.#readTemperatures(), () => this.#cooling.read()]);
  }

  async #readTemperatures(): Promise<readonly Reading[]> {
    await this.#findSensors();
    const readings: Reading[] = [];
    const errors: AgentError[] = [];
    for (const sensor of this.#sensors) {
      const outcome = await this.#read(sensor);
      if (outcome instanceof AgentError) errors.push(outcome);
      else readings.push(outcome);
    }
    if (readings.length > 0) return readings;
    throw errors.find(({ code }) => code !== 'KERNEL_FILE_ABSENT') ?? errors[0] ?? createNoSensorError();
  }

  async #findSensors(): Promise<void> {
    const directories = await listSensorDirectories(this.#kernel);
    const key = JSON.stringify(directories);
    if (key === this.#foundIn) return;
    this.#sensors = await findSensors(this.#kernel, directories);
    this.#foundIn = key;
  }

  async #read({ zone, file }: Sensor): Promise<Reading | AgentError> {
    try {
      const value = parseTemperature(`/sys/${file}`, await this.#kernel.sys(file));
      return { series: temperatureCelsius, labels: { zone }, value };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code === 'KERNEL_FILE_ABSENT') this.#foundIn = ''; // Another device may have its directory by now.
      return error;
    }
  }
}

function createNoSensorError(): AgentError {
  return new AgentError('/sys/class/thermal and /sys/class/hwmon have no temperature sensor', {
    code: 'KERNEL_FILE_ABSENT',
  });
}
