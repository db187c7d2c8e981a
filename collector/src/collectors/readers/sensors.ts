import { AgentError } from '@thugshells/shared/errors.ts';

import { readOptional, type KernelSource } from '../../kernel/kernel-files.ts';
import { compareByNumber, parseSingleLine } from '../parsing/kernel-text.ts';

/** A temperature that can be read. */
export interface Sensor {
  /** Told apart from every other sensor's; the label `zone`. */
  readonly zone: string;
  /** Below /sys; holds thousandths of a degree. */
  readonly file: string;
}

/** The directories in which sensors are found, in the order of their numbers. */
export interface SensorDirectories {
  readonly thermal: readonly string[];
  readonly hwmon: readonly string[];
}

/** Which thermal zones and hwmon chips there are: cheap to ask at every scrape, and all that hot plugging changes. */
export async function listSensorDirectories(kernel: KernelSource): Promise<SensorDirectories> {
  const list = async (directory: string, name: RegExp) =>
    (await readOptional(kernel.sysEntries(directory), [])).filter((entry) => name.test(entry)).sort(compareByNumber);
  return {
    thermal: await list('class/thermal', /^thermal_zone[0-9]+$/),
    hwmon: await list('class/hwmon', /^hwmon[0-9]+$/),
  };
}

/**
 * The sensors in these directories (Documentation/ABI/testing/sysfs-class-thermal, Documentation/hwmon/sysfs-interface).
 * A thermal zone goes by its type, an hwmon sensor by chip and label: `soc-thermal`, `nvme Composite`. Of several of
 * one name, all but the first bear their directory's name too, so that a board with one sensor keeps its series when
 * another is plugged in.
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

/** The kernel shows each thermal zone as an hwmon chip as well (CONFIG_THERMAL_HWMON), whose device is the zone. */
async function mirrorsThermalZone(kernel: KernelSource, path: string): Promise<boolean> {
  return (await readOptional(kernel.sys(`${path}/device/available_policies`), undefined)) !== undefined;
}

/** `temp1`, `temp2` …; a chip that went in this moment has none. */
async function listInputs(kernel: KernelSource, path: string): Promise<string[]> {
  const entries = await readOptional(kernel.sysEntries(path), []);
  return entries.flatMap((entry) => /^(temp[0-9]+)_input$/.exec(entry)?.[1] ?? []).sort(compareByNumber);
}

/** Tells things of one name apart: all but the first bear their directory's name too. */
export function toUniqueName(taken: { has(name: string): boolean }, name: string, directory: string): string {
  return taken.has(name) ? `${name} (${directory})` : name;
}

/** A name that cannot be read, or was cut, is no reason to lose the thing: it goes by `instead`. */
export async function readName(kernel: KernelSource, file: string, instead: string): Promise<string> {
  try {
    return parseSingleLine(`/sys/${file}`, await kernel.sys(file)).text.trim() || instead;
  } catch (error) {
    if (error instanceof AgentError) return instead;
    throw error;
  }
}
