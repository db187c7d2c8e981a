import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { InterfaceLimit } from './readers/interface-limit.ts';
import {
  parseDecimals,
  EqualFieldCounts,
  splitFields,
  splitLines,
  createLineError,
  quote,
} from './parsing/kernel-text.ts';
import { createNameFilter, type NameRules } from './parsing/name-filter.ts';

const counter = (name: string, unit: SeriesUnit, help: string) => declareSeries({ name, kind: 'counter', unit, help });

/** By the column of /proc/net/dev: eight of received traffic, then eight of sent traffic. */
const SERIES = [
  [0, counter('network.rx_bytes_total', 'bytes', 'Bytes received.')],
  [1, counter('network.rx_packets_total', 'none', 'Packets received.')],
  [2, counter('network.rx_errors_total', 'none', 'Packets received with an error.')],
  // The kernel adds rx_missed_errors, packets that found its buffers full, to this column (net/core/net-procfs.c).
  [
    3,
    counter('network.rx_dropped_total', 'none', 'Packets received and dropped, or missed because buffers were full.'),
  ],
  [8, counter('network.tx_bytes_total', 'bytes', 'Bytes sent.')],
  [9, counter('network.tx_packets_total', 'none', 'Packets sent.')],
  [10, counter('network.tx_errors_total', 'none', 'Packets that were not sent because of an error.')],
  [11, counter('network.tx_dropped_total', 'none', 'Packets dropped before they were sent.')],
] as const;
const interfacesDropped = counter(
  'network.interfaces_dropped_total',
  'none',
  'Times that an interface began to be unreported because NETWORK_MAX_INTERFACES others were reported.',
);
export const NETWORK_SERIES: readonly SeriesDeclaration[] = [...SERIES.map(([, series]) => series), interfacesDropped];

const PATH = '/proc/net/dev';
const COLUMNS = 16;
const columns = /^ *face *\|bytes +packets +errs +drop [^|]*\|bytes +packets +errs +drop [^|]*$/;

/**
 * Parses /proc/net/dev: returns the sixteen counters of each interface. Old kernels print no blank between the colon and
 * a long number, and a line for each alias with a colon in its name (`eth0:1:1234 …`): the last colon ends the name.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseNetDev(text: string): Map<string, readonly number[]> {
  const interfaces = new Map<string, readonly number[]>();
  const width = new EqualFieldCounts();
  const [, header, ...lines] = splitLines(PATH, text);
  if (header === undefined || !columns.test(header.text)) throw createMalformedError(PATH, 'line 2: unknown columns');
  for (const line of lines) {
    const colon = line.text.lastIndexOf(':');
    const name = line.text.slice(0, Math.max(0, colon)).trim();
    if (name === '') throw createLineError(line, 'no interface name');
    if (interfaces.has(name)) throw createLineError(line, `a second line of ${quote(name)}`);
    const counters = parseDecimals(line, splitFields(line.text.slice(colon + 1)), COLUMNS);
    width.check(line, counters);
    interfaces.set(name, counters);
  }
  return interfaces;
}

/** Interfaces to report, and the maximum number of them. */
export interface NetworkOptions extends NameRules {
  readonly maxInterfaces: number;
}

/** Collects the traffic of network interfaces; loopback is in /proc/net/dev like any other. */
export class NetworkCollector implements Collector {
  readonly name = 'network';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #isWanted: (name: string) => boolean;
  readonly #limit: InterfaceLimit;
  readonly #maxInterfaces: number;

  constructor(kernel: KernelSource, options: NetworkOptions) {
    this.#kernel = kernel;
    this.#isWanted = createNameFilter(options);
    this.#limit = new InterfaceLimit(options.maxInterfaces);
    this.#maxInterfaces = options.maxInterfaces;
  }

  get notice(): string | undefined {
    const [first, ...others] = this.#limit.firstUnreported;
    if (first === undefined) return undefined;
    const more = others.length === 0 ? '' : ` and ${others.length} more`;
    return `${first}${more} not reported: limit of NETWORK_MAX_INTERFACES=${this.#maxInterfaces} reached; exclude others with NETWORK_EXCLUDE`;
  }

  async collect(): Promise<readonly Reading[]> {
    const interfaces = parseNetDev(await this.#kernel.proc('net/dev'));
    const chosen = this.#limit.choose([...interfaces.keys()].filter(this.#isWanted));
    const readings: Reading[] = [...interfaces].flatMap(([name, counters]) =>
      chosen.has(name) ? toReadings(name, counters) : [],
    );
    return [...readings, { series: interfacesDropped, labels: {}, value: this.#limit.droppedTotal }];
  }
}

function toReadings(name: string, counters: readonly number[]): Reading[] {
  return SERIES.map(([column, series]) => ({ series, labels: { interface: name }, value: counters[column] as number }));
}
