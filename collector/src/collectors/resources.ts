import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import {
  createLineError,
  parseDecimal,
  parseDecimals,
  parseEachLine,
  parseSingleLine,
  quote,
  splitFields,
  splitLines,
} from './parsing/kernel-text.ts';
import { readEach } from './readers/partial-result.ts';
import { STORAGE_ERROR_SERIES, StorageErrors } from './readers/storage-errors.ts';

const total = (name: string, help: string) => declareSeries({ name, kind: 'counter', unit: 'none', help });
const gauge = (name: string, help: string) => declareSeries({ name, kind: 'gauge', unit: 'none', help });
const oomKills = total('memory.oom_kills_total', 'Processes that the kernel killed because memory was short.');
const entropy = gauge('kernel.entropy_bits', 'Entropy of the random number generator; 256 at most since Linux 5.18.');
const filesOpen = gauge('kernel.files_open', 'Open files of all processes.');
const filesMax = gauge('kernel.files_max', 'Highest number of open files.');
const connections = gauge('network.conntrack_entries', 'Connections that the firewall tracks.');
const connectionsMax = gauge('network.conntrack_entries_max', 'Highest number of tracked connections.');
const softnetDropped = total(
  'network.softnet_dropped_total',
  'Packets that a core dropped because its queue was full.',
);
const softnetSqueezed = total(
  'network.softnet_squeezed_total',
  'Times that a core had more packets to receive than time for them.',
);
const tcpSent = total('network.tcp_segments_sent_total', 'TCP segments sent, without those sent again.');
const tcpRetransmitted = total('network.tcp_segments_retransmitted_total', 'TCP segments sent again.');
export const RESOURCES_SERIES: readonly SeriesDeclaration[] = [
  oomKills,
  entropy,
  filesOpen,
  filesMax,
  connections,
  connectionsMax,
  softnetDropped,
  softnetSqueezed,
  tcpSent,
  tcpRetransmitted,
  ...STORAGE_ERROR_SERIES,
];

/** Above it there is no limit: the kernel sets the largest number of 64 bits. */
const NO_LIMIT = 2 ** 62;

/**
 * Parses /proc/vmstat: returns how often memory was short (since Linux 4.13). Its other hundred lines are not split, as
 * that would take most of the time of this collector.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseOomKills(text: string): Reading[] {
  const path = '/proc/vmstat';
  if (text === '') throw createMalformedError(path, 'empty');
  if (!text.endsWith('\n')) throw createMalformedError(path, 'truncated, no newline at its end');
  const [match, ...more] = text.matchAll(/^oom_kill(?!\w)(.*)$/gm);
  if (more.length > 0) throw createMalformedError(path, 'a second line oom_kill');
  if (match === undefined) return [];
  const line = { path, number: text.slice(0, match.index).split('\n').length, text: match[0] };
  const [value = 0] = parseDecimals(line, splitFields(match[1] as string), 1);
  return [{ series: oomKills, labels: {}, value }];
}

/**
 * Parses /proc/sys/fs/file-nr: allocated, unused (always 0) and the limit.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseFileNumbers(text: string): Reading[] {
  const line = parseSingleLine('/proc/sys/fs/file-nr', text);
  const [allocated = 0, unused = 0, limit = 0] = parseDecimals(line, splitFields(line.text), 3);
  if (unused > allocated) throw createLineError(line, `${unused} of ${allocated} are unused`);
  const readings = [{ series: filesOpen, labels: {}, value: allocated - unused }];
  return limit > NO_LIMIT ? readings : [...readings, { series: filesMax, labels: {}, value: limit }];
}

/** Not split, as a device of many cores has hundreds of these numbers. */
const SOFTNET_LINE = /^[0-9a-f]{8} ([0-9a-f]{8}) ([0-9a-f]{8})(?: [0-9a-f]{8}){6,}$/;

/**
 * Parses /proc/net/softnet_stat: a line of hexadecimal numbers for each core that is online; the second is of packets dropped, the
 * third of times that the budget ended (net/core/net-procfs.c). A sum without one of the lines would be another one.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseSoftnet(text: string): Reading[] {
  let dropped = 0;
  let squeezed = 0;
  let length: number | undefined;
  const [error] = parseEachLine('/proc/net/softnet_stat', text, (line) => {
    const [, droppedHere, squeezedHere] = SOFTNET_LINE.exec(line.text) ?? [];
    if (droppedHere === undefined || squeezedHere === undefined)
      throw createLineError(line, `${quote(line.text)} is not at least 9 hexadecimal numbers of 32 bits`);
    length ??= line.text.length;
    if (line.text.length !== length) throw createLineError(line, 'not as many numbers as in the first line');
    dropped += parseInt(droppedHere, 16);
    squeezed += parseInt(squeezedHere, 16);
  });
  if (error !== undefined) throw error;
  return [
    { series: softnetDropped, labels: {}, value: dropped },
    { series: softnetSqueezed, labels: {}, value: squeezed },
  ];
}

const TCP_SERIES = new Map([
  ['OutSegs', tcpSent],
  ['RetransSegs', tcpRetransmitted],
]);

/**
 * Parses the lines `Tcp:` of /proc/net/snmp: names, then values (RFC 4022). Others are not judged.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseTcp(text: string): Reading[] {
  const path = '/proc/net/snmp';
  const [names, values, ...more] = splitLines(path, text).filter((line) => line.text.startsWith('Tcp:'));
  if (names === undefined || values === undefined || more.length > 0)
    throw createMalformedError(path, 'not two lines Tcp');
  const [titles, fields] = [splitFields(names.text).slice(1), splitFields(values.text).slice(1)];
  if (titles.length !== fields.length)
    throw createLineError(values, `${fields.length} numbers for ${titles.length} names`);
  // MaxConn is -1 if there is no limit.
  const wrong = fields.find((field) => !/^-?[0-9]{1,20}$/.test(field));
  if (wrong !== undefined) throw createLineError(values, `${quote(wrong)} is not a number`);
  return [...TCP_SERIES].map(([title, series]) => {
    const index = titles.indexOf(title);
    if (index < 0) throw createLineError(names, `no ${title}`);
    return { series, labels: {}, value: parseDecimal(values, fields[index] as string) };
  });
}

/** Collects what the whole device may run out of, and the events that follow: killed processes, dropped packets, segments sent again, errors of storage. */
export class ResourcesCollector implements Collector {
  readonly name = 'resources';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #storageErrors: StorageErrors;

  constructor(kernel: KernelSource) {
    this.#kernel = kernel;
    this.#storageErrors = new StorageErrors(kernel);
  }

  collect(): Promise<readonly Reading[]> {
    return readEach([
      async () => parseOomKills(await this.#kernel.proc('vmstat')),
      () => this.#readNumber(entropy, 'sys/kernel/random/entropy_avail'),
      async () => parseFileNumbers(await this.#kernel.proc('sys/fs/file-nr')),
      () => this.#readConnections(),
      async () => parseSoftnet(await this.#kernel.proc('net/softnet_stat')),
      async () => parseTcp(await this.#kernel.proc('net/snmp')),
      () => this.#storageErrors.read(),
    ]);
  }

  /** The kernel has the files while it tracks connections; to list their directory costs less than to find them absent. */
  async #readConnections(): Promise<readonly Reading[]> {
    if (!(await this.#kernel.procEntries('sys/net/netfilter')).includes('nf_conntrack_count')) return [];
    return readEach([
      () => this.#readNumber(connections, 'sys/net/netfilter/nf_conntrack_count'),
      () => this.#readNumber(connectionsMax, 'sys/net/netfilter/nf_conntrack_max'),
    ]);
  }

  async #readNumber(series: SeriesDeclaration, file: string): Promise<Reading[]> {
    const line = parseSingleLine(`/proc/${file}`, await this.#kernel.proc(file));
    return [{ series, labels: {}, value: parseDecimal(line, line.text) }];
  }
}
