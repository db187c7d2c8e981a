import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector, LeftOutSamples } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { Cooling, COOLING_SERIES } from './readers/cooling.ts';
import { parseTemperature } from './parsing/temperature-text.ts';
import { Discovery } from './readers/discovery.ts';
import { readEach, requireNoErrors } from './readers/partial-result.ts';
import { findSensors, listSensorDirectories, readName, type Sensor, type SensorSearch } from './readers/sensors.ts';

const temperatureCelsius = declareSeries({
  name: 'cpu.temperature_celsius',
  kind: 'gauge',
  unit: 'celsius',
  help: 'Temperature of a thermal zone or hardware sensor of the device.',
});
export const TEMPERATURE_SERIES: readonly SeriesDeclaration[] = [temperatureCelsius, ...COOLING_SERIES];

/**
 * Collects the temperature of every sensor, and the state of cooling devices. Sensors return errors while their hardware
 * sleeps (a modem, a GPU, a disk: EAGAIN, EIO, ENODATA, EINVAL), so one that fails is left out until it recovers; the
 * collector fails only if all of them do. One whose text is no temperature, as of an input that nothing is attached to, or
 * whose chip reports a fault of it, is left out and named. They are read one after the other: a driver that hangs occupies
 * one thread, not all of Node's.
 */
export class TemperatureCollector implements Collector {
  readonly name = 'temperature';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #cooling: Cooling;
  /** Names of sensors do not change and are read once. */
  readonly #discovery = new Discovery<SensorSearch>();
  /** Reasons by file. */
  readonly #leftOut = new Map<string, string>();

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#cooling = new Cooling(kernel, (file, error) => this.#leftOut.set(file, error.message));
  }

  get leftOut(): readonly LeftOutSamples[] {
    return [...this.#leftOut].map(([subject, reason]) => ({ event: 'value left out', subject, count: 0, reason }));
  }

  collect(): Promise<readonly Reading[]> {
    this.#leftOut.clear();
    return readEach([() => this.#readTemperatures(), () => this.#cooling.read()]);
  }

  async #readTemperatures(): Promise<readonly Reading[]> {
    const { directories, errors: unlisted } = await listSensorDirectories(this.#kernel);
    const search = await this.#discovery.find(JSON.stringify(directories), () =>
      findSensors(this.#kernel, directories),
    );
    const unreadable = [...unlisted, ...search.errors];
    const readings: Reading[] = [];
    const errors = [...unreadable];
    for (const sensor of search.sensors) {
      const outcome = await this.#read(sensor);
      if (outcome instanceof AgentError) errors.push(outcome);
      else readings.push(outcome);
    }
    if (readings.length > 0) return requireNoErrors(unreadable, readings);
    throw errors.find(({ code }) => code !== 'KERNEL_FILE_ABSENT') ?? errors[0] ?? createNoSensorError();
  }

  async #read({ zone, file, faultFile, source }: Sensor): Promise<Reading | AgentError> {
    try {
      const value = parseTemperature(`/sys/${file}`, await this.#kernel.sys(file), source);
      if (faultFile !== undefined && (await readName(this.#kernel, faultFile, '0')) === '1')
        throw createFaultError(faultFile);
      return { series: temperatureCelsius, labels: { zone }, value };
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      if (error.code === 'KERNEL_FILE_ABSENT') this.#discovery.noteAbsent(file);
      if (error.code === 'KERNEL_FILE_MALFORMED') this.#leftOut.set(file, error.message);
      return error;
    }
  }
}

/** A chip whose sensor is not connected goes on with the last value, or with one of its range. */
function createFaultError(file: string): AgentError {
  return new AgentError(`/sys/${file} is 1: the chip reports a fault of the sensor`, {
    code: 'KERNEL_FILE_MALFORMED',
    hint: 'check the sensor and its wires',
  });
}

function createNoSensorError(): AgentError {
  return new AgentError('/sys/class/thermal and /sys/class/hwmon have no temperature sensor', {
    code: 'KERNEL_FILE_ABSENT',
  });
}
