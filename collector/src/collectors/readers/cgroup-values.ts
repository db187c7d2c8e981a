import type { KernelSource } from '../../kernel/kernel-files.ts';
import { readOptional, createMalformedError } from '../../kernel/kernel-file-errors.ts';
import { createLineError, parseDecimal, parseNumberFile, splitFields, splitLines } from '../parsing/kernel-text.ts';
import { CGROUPS, getUnitRoot, type CgroupVersion } from './cgroup-tree.ts';

/** Bytes read and written by a group. */
export interface GroupIo {
  readonly readBytes: number;
  readonly writtenBytes: number;
}

/**
 * Reads figures of one control group. Each throws KERNEL_FILE_ABSENT if the kernel does not account for it in this group, and
 * KERNEL_FILE_MALFORMED or KERNEL_FILE_UNREADABLE.
 */
export interface GroupReader {
  /** Whether it has a process, in itself or below. */
  readonly isPopulated: (group: string) => Promise<boolean>;
  readonly cpuSeconds: (group: string) => Promise<number>;
  readonly memoryBytes: (group: string) => Promise<number>;
  readonly tasks: (group: string) => Promise<number>;
  readonly oomKills: (group: string) => Promise<number>;
  /** Undefined if there was none yet. */
  readonly io: (group: string) => Promise<GroupIo | undefined>;
}

/** Creates the reader for a version; `group` is a path below the root of the tree, with a slash before it. */
export function createGroupReader(kernel: KernelSource, version: CgroupVersion): GroupReader {
  return version === 2 ? createReader2(kernel) : createReader1(kernel);
}

/** Files of version 2 (Documentation/admin-guide/cgroup-v2.rst). */
function createReader2(kernel: KernelSource): GroupReader {
  const path = (group: string, file: string) => `${CGROUPS}${group}/${file}`;
  return {
    isPopulated: async (group) => (await readKey(kernel, path(group, 'cgroup.events'), 'populated')) > 0,
    cpuSeconds: async (group) => (await readKey(kernel, path(group, 'cpu.stat'), 'usage_usec')) / 1e6,
    memoryBytes: (group) => readNumber(kernel, path(group, 'memory.current')),
    tasks: (group) => readNumber(kernel, path(group, 'pids.current')),
    oomKills: (group) => readKey(kernel, path(group, 'memory.events'), 'oom_kill'),
    io: async (group) => parseIoStat(`/sys/${path(group, 'io.stat')}`, await kernel.sys(path(group, 'io.stat'))),
  };
}

/** Files of version 1 (Documentation/admin-guide/cgroup-v1). */
function createReader1(kernel: KernelSource): GroupReader {
  const path = (controller: string, group: string, file: string) => `${CGROUPS}/${controller}${group}/${file}`;
  return {
    isPopulated: (group) => hasProcess(kernel, `${getUnitRoot(1)}${group}`),
    cpuSeconds: async (group) => (await readNumber(kernel, path('cpuacct', group, 'cpuacct.usage'))) / 1e9,
    memoryBytes: (group) => readNumber(kernel, path('memory', group, 'memory.usage_in_bytes')),
    tasks: (group) => readNumber(kernel, path('pids', group, 'pids.current')),
    oomKills: (group) => readKey(kernel, path('memory', group, 'memory.oom_control'), 'oom_kill'),
    io: async (group) => {
      const file = path('blkio', group, 'blkio.throttle.io_service_bytes_recursive');
      return parseIoServiceBytes(`/sys/${file}`, await kernel.sys(file));
    },
  };
}

/** Files of a group of version 1 that are no groups; they would be listed as such. */
const FILES = ['cgroup.procs', 'cgroup.clone_children', 'notify_on_release', 'release_agent', 'tasks'];
/** A group below a unit's may have others below it, as those of containers. */
const MAX_DEPTH = 10;

/** Version 1 has no `cgroup.events`. @throws AgentError KERNEL_FILE_ABSENT if the group has gone */
async function hasProcess(kernel: KernelSource, path: string, depth = 0): Promise<boolean> {
  if ((await kernel.sys(`${path}/cgroup.procs`)) !== '') return true;
  if (depth === MAX_DEPTH) return false;
  for (const entry of await readOptional(kernel.sysEntries(path), [])) {
    if (FILES.includes(entry)) continue;
    if (await readOptional(hasProcess(kernel, `${path}/${entry}`, depth + 1), false)) return true;
  }
  return false;
}

async function readNumber(kernel: KernelSource, file: string): Promise<number> {
  return parseNumberFile(`/sys/${file}`, await kernel.sys(file));
}

/** Reads the number of a key in a file of lines `key number`. @throws AgentError KERNEL_FILE_MALFORMED if it has no such key */
async function readKey(kernel: KernelSource, file: string, key: string): Promise<number> {
  const path = `/sys/${file}`;
  for (const line of splitLines(path, await kernel.sys(file))) {
    const [name, value = '', ...more] = splitFields(line.text);
    if (name !== key) continue;
    if (more.length > 0) throw createLineError(line, `${key} is not one number`);
    return parseDecimal(line, value);
  }
  throw createMalformedError(path, `no line ${key}`);
}

/**
 * Parses io.stat: `8:0 rbytes=1 wbytes=2 rios=…` for each device. Kernels from 5.13 to 6.1 write no end of line after a device without I/O:
 * `7:0 8:0 rbytes=…`.
 */
export function parseIoStat(path: string, text: string): GroupIo | undefined {
  if (text === '') return undefined;
  let [readBytes, writtenBytes] = [0, 0];
  for (const line of splitLines(path, text)) {
    const [device = '', ...fields] = splitFields(line.text);
    if (!/^[0-9]+:[0-9]+$/.test(device)) throw createLineError(line, 'no device');
    const values = new Map(fields.filter((field) => field.includes('=')).map((field) => toPair(field)));
    if (values.size === 0) continue;
    readBytes += parseDecimal(line, values.get('rbytes') ?? '');
    writtenBytes += parseDecimal(line, values.get('wbytes') ?? '');
  }
  return { readBytes, writtenBytes };
}

function toPair(field: string): [string, string] {
  const equals = field.indexOf('=');
  return [field.slice(0, equals), field.slice(equals + 1)];
}

/** Parses blkio.throttle.io_service_bytes_recursive: `8:0 Read 123` and others for each device, `Total 456` at the end. */
export function parseIoServiceBytes(path: string, text: string): GroupIo | undefined {
  let [readBytes, writtenBytes, count] = [0, 0, 0];
  for (const line of splitLines(path, text)) {
    const [device = '', operation = '', value] = splitFields(line.text);
    if (device === 'Total') continue;
    const bytes = parseDecimal(line, value ?? '');
    if (operation === 'Read') readBytes += bytes;
    if (operation === 'Write') writtenBytes += bytes;
    count += 1;
  }
  return count === 0 ? undefined : { readBytes, writtenBytes };
}
