import { AgentError } from '@thugshells/shared/errors.ts';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError, readOptional } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { createLineError, parseAttribute, parseNumberFile, quote } from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { readName } from './readers/sensors.ts';

const gauge = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'gauge', unit, help });
const online = gauge('power.online', 'none', '1 while the supply feeds the device, or could.');
const capacity = gauge('power.capacity_percent', 'percent', 'Charge of the battery.');
const discharging = gauge('power.discharging', 'none', '1 while the battery discharges; absent if it does not know.');
const voltage = gauge('power.voltage_volts', 'volts', 'Voltage of the supply.');
const current = gauge('power.current_amperes', 'amperes', 'Current of the supply; its sign is that of the driver.');
const watts = gauge('power.power_watts', 'watts', 'Power of the supply; its sign is that of the driver.');
export const POWER_SERIES: readonly SeriesDeclaration[] = [online, capacity, discharging, voltage, current, watts];

const DIRECTORY = 'class/power_supply';
/** By what a battery reports of itself; of `Unknown` nothing is known. */
const STATUSES: Readonly<Record<string, number | undefined>> = {
  Charging: 0,
  'Not charging': 0,
  Full: 0,
  Discharging: 1,
};

/**
 * Parses an attribute in millionths, which may be negative.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseMillionths(path: string, text: string): number {
  const line = parseAttribute(path, text);
  if (!/^-?[0-9]{1,12}$/.test(line.text)) throw createLineError(line, `${quote(line.text)} is not a number`);
  return Number(line.text) / 1_000_000;
}

function parseOnline(path: string, text: string): number {
  const value = parseNumberFile(path, text);
  // 2: it could be chosen among several (USB PD).
  if (value > 2) throw createMalformedError(path, `${value} is not a state`);
  return value === 0 ? 0 : 1;
}

function parseCapacity(path: string, text: string): number {
  const value = parseNumberFile(path, text);
  if (value > 100) throw createMalformedError(path, `${value} is not a percentage`);
  return value;
}

function parseStatus(path: string, text: string): number | undefined {
  const { text: status } = parseAttribute(path, text);
  if (status === 'Unknown') return undefined;
  const value = Object.hasOwn(STATUSES, status) ? STATUSES[status] : undefined;
  if (value === undefined) throw createMalformedError(path, `${quote(status)} is not a status`);
  return value;
}

interface Attribute {
  readonly name: string;
  readonly series: SeriesDeclaration;
  /** Returns undefined if the supply does not know the value. */
  readonly parse: (path: string, text: string) => number | undefined;
}

/** Voltage, current and power are in millionths of their unit (Documentation/ABI/testing/sysfs-class-power). */
const ATTRIBUTES: readonly Attribute[] = [
  { name: 'online', series: online, parse: parseOnline },
  { name: 'capacity', series: capacity, parse: parseCapacity },
  { name: 'status', series: discharging, parse: parseStatus },
  { name: 'voltage_now', series: voltage, parse: parseMillionths },
  { name: 'current_now', series: current, parse: parseMillionths },
  { name: 'power_now', series: watts, parse: parseMillionths },
];

/** Collects batteries, UPSs and supplies of /sys/class/power_supply, without those of mice and other devices that are attached. */
export class PowerCollector implements Collector {
  readonly name = 'power';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
  }

  async collect(): Promise<readonly Reading[]> {
    const supplies = await this.#kernel.sysEntries(DIRECTORY);
    if (supplies.length > 0) return readEach(supplies.map((supply) => () => this.#readSupply(supply)));
    throw new AgentError(`/sys/${DIRECTORY} is empty`, { code: 'KERNEL_FILE_ABSENT' });
  }

  /** Reads the attributes that the supply has; to find that one is absent costs more than to list them all. */
  async #readSupply(supply: string): Promise<readonly Reading[]> {
    const path = `${DIRECTORY}/${supply}`;
    const present = await this.#kernel.sysEntries(path);
    if (present.includes('scope') && (await readName(this.#kernel, `${path}/scope`, 'System')) === 'Device') return [];
    const attributes = ATTRIBUTES.filter(({ name }) => present.includes(name));
    return readEach(attributes.map((attribute) => () => this.#readValue(path, { supply }, attribute)));
  }

  async #readValue(path: string, labels: Labels, { name, series, parse }: Attribute): Promise<Reading[]> {
    const file = `${path}/${name}`;
    const text = await readOptional(this.#kernel.sys(file), undefined);
    const value = text === undefined ? undefined : parse(`/sys/${file}`, text);
    return value === undefined ? [] : [{ series, labels, value }];
  }
}
