import type { AgentError } from '@thugshells/shared/errors.ts';

import {
  createLineError,
  parseDecimals,
  parseEachLine,
  quote,
  removeShortLines,
  splitFields,
  type NumberLine,
} from '../parsing/kernel-text.ts';

/** The unit of /proc/diskstats for every device: "standard UNIX 512-byte sectors" (Documentation/block/stat.rst). */
export const KERNEL_SECTOR_BYTES = 512;

/** The counters of a line of /proc/diskstats that are used. */
export interface DiskCounters {
  readonly readOps: number;
  readonly readSectors: number;
  readonly writeOps: number;
  readonly writeSectors: number;
  /** Milliseconds in which the device was busy. */
  readonly busyMs: number;
  /** The sum of the durations of all operations, in milliseconds; operations overlap. */
  readonly queuedMs: number;
}

const PATH = '/proc/diskstats';
/** Since Linux 2.6.25; 4.18 appended discards, 5.5 flushes (Documentation/admin-guide/iostats.rst). */
const MIN_COUNTERS = 11;

/** The counters of block devices by name, partitions included, and why lines cannot be used. */
export interface Diskstats {
  /** Of every line, also those that cannot be used. */
  readonly names: readonly string[];
  readonly devices: ReadonlyMap<string, DiskCounters>;
  /** KERNEL_FILE_MALFORMED, one for each line. */
  readonly errors: readonly AgentError[];
}

/**
 * Parses /proc/diskstats. A line that cannot be used costs its device; of two lines of one device the first counts.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the file is empty
 */
export function parseDiskstats(text: string): Diskstats {
  const names: string[] = [];
  const lines = new Map<string, NumberLine>();
  const malformed = parseEachLine(PATH, text, (line) => {
    const [major = '', minor = '', device = '', ...fields] = splitFields(line.text);
    if (device !== '') names.push(device);
    parseDecimals(line, [major, minor], 2);
    const numbers = parseDecimals(line, fields, MIN_COUNTERS);
    if (lines.has(device)) throw createLineError(line, `a second line of ${quote(device)}`);
    lines.set(device, { line, numbers });
  });
  const errors = [...malformed, ...removeShortLines(lines)];
  return { names, devices: new Map([...lines].map(([name, { numbers }]) => [name, toDiskCounters(numbers)])), errors };
}

function toDiskCounters(numbers: readonly number[]): DiskCounters {
  const [readOps = 0, , readSectors = 0, , writeOps = 0, , writeSectors = 0, , , busyMs = 0, queuedMs = 0] = numbers;
  return { readOps, readSectors, writeOps, writeSectors, busyMs, queuedMs };
}

/**
 * Selects whole devices from the listed block devices; their traffic includes that of their partitions.
 *
 * sysfs has a directory in /sys/block for a whole device and none for a partition, and writes the `/` of names such as
 * `cciss/c0d0` as `!`. Without sysfs (undefined), a name is a partition's if the kernel would make it from that of
 * another device in the list: the device's name, then `p` if that ends in a digit, then a number (block/partitions).
 * So `sda1` and `mmcblk0p1` are partitions, while `mmcblk0boot0`, `md127` and an `xvda1` without `xvda` are not.
 */
export function selectWholeDevices(listed: readonly string[], inSysBlock: readonly string[] | undefined): string[] {
  const whole = new Set(inSysBlock ?? listed);
  return listed.filter((name) =>
    inSysBlock === undefined ? !whole.has(findParent(name)) : whole.has(toSysfsName(name)),
  );
}

/** Returns the name of a block device as sysfs writes it. */
export function toSysfsName(device: string): string {
  return device.replaceAll('/', '!');
}

/** Returns the name of the device whose partition would have this name; empty if there is none. */
function findParent(name: string): string {
  const [, beforeP, beforeNumber] = /^(.*[0-9])p[0-9]+$|^(.*[^0-9])[0-9]+$/.exec(name) ?? [];
  return beforeP ?? beforeNumber ?? '';
}
