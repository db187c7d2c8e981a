import { AgentError } from '@thugshells/shared/errors.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseAttribute } from '../parsing/kernel-text.ts';
import { ALLWINNER_ZONE, type TemperatureSource } from '../parsing/temperature-text.ts';
import { findBusPath } from './bus-path.ts';
import { createUniqueNames, type NamedThing } from './unique-names.ts';

/** A temperature sensor. */
export interface Sensor {
  /** The label `zone`, unique among sensors. */
  readonly zone: string;
  /** Path below /sys of the attribute with its temperature. */
  readonly file: string;
  /** Path below /sys of the attribute that is 1 while the chip finds its sensor broken or missing. */
  readonly faultFile?: string | undefined;
  readonly source: TemperatureSource;
}

/** An entry of /sys/class/hwmon. */
export interface Chip {
  /** Such as `hwmon3`; another chip may have the number at the next boot. */
  readonly directory: string;
  /** Path below /sys of the directory that the entry is a link to. Undefined if it is none, as in a recording. */
  readonly target: string | undefined;
}

/** What sensors are found in, ordered by the numbers of directories. */
export interface SensorDirectories {
  readonly thermal: readonly string[];
  readonly hwmon: readonly Chip[];
}

const THERMAL = 'class/thermal';
const HWMON = 'class/hwmon';

/**
 * Lists thermal zones and hwmon chips: cheap enough for every scrape, and all that hot plugging changes. `errors` has those of
 * a class that cannot be listed.
 */
export async function listSensorDirectories(
  kernel: KernelSource,
): Promise<{ readonly directories: SensorDirectories; readonly errors: readonly AgentError[] }> {
  const errors: AgentError[] = [];
  const listed = async <Entry>(entries: Promise<Entry[]>): Promise<Entry[]> => {
    try {
      return await entries;
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
      return [];
    }
  };
  const thermal = await listed(listNumbered(kernel, THERMAL, /^thermal_zone[0-9]+$/));
  return { directories: { thermal, hwmon: await listed(listChips(kernel)) }, errors };
}

/** Lists the chips of /sys/class/hwmon. */
export async function listChips(kernel: KernelSource): Promise<Chip[]> {
  const chips: Chip[] = [];
  for (const directory of await listNumbered(kernel, HWMON, /^hwmon[0-9]+$/)) {
    chips.push({ directory, target: await readOptional(kernel.sysLink(`${HWMON}/${directory}`), undefined) });
  }
  return chips;
}

async function listNumbered(kernel: KernelSource, directory: string, name: RegExp): Promise<string[]> {
  const entries = await readOptional(kernel.sysEntries(directory), []);
  return entries.filter((entry) => name.test(entry)).sort(compareByNumber);
}

/** What was found, and the errors of chips whose directory cannot be read. */
export interface SensorSearch {
  readonly sensors: readonly Sensor[];
  readonly errors: readonly AgentError[];
}

/** A sensor whose name others may have. */
type FoundSensor = NamedThing & Omit<Sensor, 'zone'>;

/**
 * Finds the sensors in directories (Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface).
 * A thermal zone is named by its type, an hwmon sensor by chip and label: `soc-thermal`, `nvme Composite`. Of several
 * with one name each has added what stays over boots, as numbers of directories do not: where its device is attached,
 * then its attribute.
 */
export async function findSensors(kernel: KernelSource, directories: SensorDirectories): Promise<SensorSearch> {
  const found: FoundSensor[] = [];
  const errors: AgentError[] = [];
  for (const directory of directories.thermal) found.push(await findZone(kernel, directory));
  for (const chip of directories.hwmon) {
    try {
      found.push(...(await findInputs(kernel, chip)));
    } catch (error) {
      if (!(error instanceof AgentError)) throw error;
      errors.push(error);
    }
  }
  const zones = createUniqueNames(found);
  const sensors = found.map(({ file, faultFile, source }, index) => ({
    zone: zones[index] as string,
    file,
    faultFile,
    source,
  }));
  return { sensors, errors };
}

async function findZone(kernel: KernelSource, directory: string): Promise<FoundSensor> {
  const path = `${THERMAL}/${directory}`;
  const name = await readName(kernel, `${path}/type`, directory);
  const marks = [await findDevicePlace(kernel, path), ''];
  const source = ALLWINNER_ZONE.test(name) ? 'allwinner zone' : 'zone';
  return { name, marks, directory, file: `${path}/temp`, source };
}

async function findInputs(kernel: KernelSource, chip: Chip): Promise<FoundSensor[]> {
  const path = `${HWMON}/${chip.directory}`;
  if (await mirrorsThermalZone(kernel, path)) return [];
  const name = await readChipName(kernel, chip.directory);
  const source = ALLWINNER_ZONE.test(name) ? 'allwinner zone' : 'chip';
  const place = await findChipPlace(kernel, chip);
  const sensors: FoundSensor[] = [];
  const attributes = await listChipAttributes(kernel, chip.directory);
  for (const attribute of [...attributes.keys()].sort(compareByNumber)) {
    const input = /^(temp[0-9]+)_input$/.exec(attribute)?.[1];
    const file = attributes.get(attribute);
    if (input === undefined || file === undefined) continue;
    const label = await readName(kernel, file.replace(/_input$/, '_label'), input);
    const faultFile = attributes.get(`${input}_fault`);
    sensors.push({
      name: `${name} ${label}`,
      marks: [place, input],
      directory: chip.directory,
      file,
      faultFile,
      source,
    });
  }
  return sensors;
}

/** The kernel lists thermal zones as hwmon chips too (CONFIG_THERMAL_HWMON); the device of such a chip is the zone. */
async function mirrorsThermalZone(kernel: KernelSource, path: string): Promise<boolean> {
  return (await readOptional(kernel.sys(`${path}/device/available_policies`), undefined)) !== undefined;
}

/**
 * Reads the name of a chip. Before Linux 3.15, and with drivers that register the old way (hwmon_device_register), it is an
 * attribute of the chip's device.
 */
export async function readChipName(kernel: KernelSource, directory: string): Promise<string> {
  const path = `${HWMON}/${directory}`;
  return (await readName(kernel, `${path}/name`, '')) || readName(kernel, `${path}/device/name`, directory);
}

/**
 * Lists the attributes of a chip, each with its path below /sys: those in the chip's directory, and as with names those in
 * its device's. None if the chip was just removed.
 */
export async function listChipAttributes(kernel: KernelSource, directory: string): Promise<Map<string, string>> {
  const path = `${HWMON}/${directory}`;
  const attributes = new Map<string, string>();
  for (const place of [`${path}/device`, path]) {
    for (const entry of await readOptional(kernel.sysEntries(place), [])) attributes.set(entry, `${place}/${entry}`);
  }
  return attributes;
}

/** Returns where the device of a chip is attached; empty if it is not known. */
async function findChipPlace(kernel: KernelSource, { directory, target }: Chip): Promise<string> {
  if (target === undefined) return findDevicePlace(kernel, `${HWMON}/${directory}`);
  // …/nvme0/hwmon3, or …/coretemp.0/hwmon/hwmon3 unless the device is of a class itself.
  return findPlace(kernel, target.replace(/(\/hwmon)?\/hwmon[0-9]+$/, ''));
}

/** Returns where the device of an entry of a class is attached; empty if it has none or it is not known. */
export async function findDevicePlace(kernel: KernelSource, path: string): Promise<string> {
  const entry = (await readOptional(kernel.sysLink(path), undefined)) ?? path;
  return findPlace(kernel, await readOptional(kernel.sysLink(`${entry}/device`), undefined));
}

async function findPlace(kernel: KernelSource, device: string | undefined): Promise<string> {
  try {
    return device === undefined ? '' : await findBusPath(kernel, device);
  } catch (error) {
    if (error instanceof AgentError) return '';
    throw error;
  }
}

/** Reads a name; `fallback` if the file cannot be read or parsed, so that the sensor is still reported. */
export async function readName(kernel: KernelSource, file: string, fallback: string): Promise<string> {
  try {
    return parseAttribute(`/sys/${file}`, await kernel.sys(file)).text.trim() || fallback;
  } catch (error) {
    if (error instanceof AgentError) return fallback;
    throw error;
  }
}
