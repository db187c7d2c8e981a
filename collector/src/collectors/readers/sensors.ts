import { AgentError } from '@thugshells/shared/errors.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseAttribute } from '../parsing/kernel-text.ts';

/** A temperature sensor. */
export interface Sensor {
  /** The label `zone`, unique among sensors. */
  readonly zone: string;
  /** Path below /sys of a file with thousandths of a degree. */
  readonly file: string;
}

/** Directories of sensors, ordered by their numbers. */
export interface SensorDirectories {
  readonly thermal: readonly string[];
  readonly hwmon: readonly string[];
}

/** Lists thermal zones and hwmon chips: cheap enough for every scrape, and all that hot plugging changes. */
export async function listSensorDirectories(kernel: KernelSource): Promise<SensorDirectories> {
  const list = async (directory: string, name: RegExp) =>
    (await readOptional(kernel.sysEntries(directory), [])).filter((entry) => name.test(entry)).sort(compareByNumber);
  return {
    thermal: await list('class/thermal', /^thermal_zone[0-9]+$/),
    hwmon: await list('class/hwmon', /^hwmon[0-9]+$/),
  };
}

/**
 * Finds the sensors in directories (Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface).
 * A thermal zone is named by its type, an hwmon sensor by chip and label: `soc-thermal`, `nvme Composite`. Of several
 * with one name all but the first have their directory's name added, so that a sensor keeps its series when another is
 * plugged in.
 */
export async function findSensors(kernel: KernelSource, directories: SensorDirectories): Promise<Sensor[]> {
  const sensors = new Map<string, Sensor>();
  const add = (name: string, directory: string, file: string) => {
    const zone = toUniqueName(sensors, name, directory);
    sensors.set(zone, { zone, file });
  };
  for (const directory of directories.thermal) {
    const path = `class/thermal/${directory}`;
    add(await readName(kernel, `${path}/type`, directory), directory, `${path}/temp`);
  }
  for (const directory of directories.hwmon) {
    const path = `class/hwmon/${directory}`;
    if (await mirrorsThermalZone(kernel, path)) continue;
    const chip = await readName(kernel, `${path}/name`, directory);
    for (const input of await listInputs(kernel, path)) {
      const label = await readName(kernel, `${path}/${input}_label`, input);
      add(`${chip} ${label}`, directory, `${path}/${input}_input`);
    }
  }
  return [...sensors.values()];
}

/** The kernel lists thermal zones as hwmon chips too (CONFIG_THERMAL_HWMON); the device of such a chip is the zone. */
async function mirrorsThermalZone(kernel: KernelSource, path: string): Promise<boolean> {
  return (await readOptional(kernel.sys(`${path}/device/available_policies`), undefined)) !== undefined;
}

/** Lists `temp1`, `temp2` …; none if the chip was just removed. */
async function listInputs(kernel: KernelSource, path: string): Promise<string[]> {
  const entries = await readOptional(kernel.sysEntries(path), []);
  return entries.flatMap((entry) => /^(temp[0-9]+)_input$/.exec(entry)?.[1] ?? []).sort(compareByNumber);
}

/** Adds the directory to a name that is taken. */
export function toUniqueName(taken: { has(name: string): boolean }, name: string, directory: string): string {
  return taken.has(name) ? `${name} (${directory})` : name;
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
