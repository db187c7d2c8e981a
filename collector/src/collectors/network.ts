import type { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration, type SeriesUnit } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import { createMalformedError } from '../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { InterfaceLimit, type InterfaceRules } from './readers/interface-limit.ts';
import {
  createLineError,
  parseDecimals,
  parseEachLine,
  quote,
  removeShortLines,
  type NumberLine,
} from './parsing/kernel-text.ts';
import { splitInterfaceLine } from './parsing/interface-line.ts';
import { createNameFilter } from './parsing/name-filter.ts';
import { requireNoErrors } from './readers/partial-result.ts';

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

/** The sixteen counters of each interface, and the errors of malformed lines. */
interface NetDev {
  readonly interfaces: ReadonlyMap<string, readonly number[]>;
  readonly errors: readonly AgentError[];
}

/**
 * Parses /proc/net/dev. A malformed line costs itself; of two lines of one interface the first counts.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED if the columns are not the known ones
 */
export function parseNetDev(text: string): NetDev {
  const lines = new Map<string, NumberLine>();
  let isHeaderKnown = false;
  const malformed = parseEachLine(PATH, text, (line) => {
    if (line.number === 2) isHeaderKnown = columns.test(line.text);
    if (line.number <= 2) return;
    const { name, fields } = splitInterfaceLine(line);
    if (lines.has(name)) throw createLineError(line, `a second line of ${quote(name)}`);
    lines.set(name, { line, numbers: parseDecimals(line, fields, COLUMNS) });
  });
  if (!isHeaderKnown) throw createMalformedError(PATH, 'line 2: unknown columns');
  const errors = [...malformed, ...removeShortLines(lines)];
  return { interfaces: new Map([...lines].map(([name, { numbers }]) => [name, numbers])), errors };
}

/** Collects the traffic of network interfaces; loopback is in /proc/net/dev like any other. */
export class NetworkCollector implements Collector {
  readonly name = 'network';
  readonly comparesReads = false;
  readonly #kernel: KernelSource;
  readonly #isWanted: (name: string) => boolean;
  readonly #limit: InterfaceLimit;
  readonly #maxInterfaces: number;

  constructor(kernel: KernelSource, options: InterfaceRules) {
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
    const { interfaces, errors } = parseNetDev(await this.#kernel.proc('net/dev'));
    const chosen = this.#limit.choose([...interfaces.keys()].filter(this.#isWanted));
    const readings: Reading[] = [...interfaces].flatMap(([name, counters]) =>
      chosen.has(name) ? toReadings(name, counters) : [],
    );
    readings.push({ series: interfacesDropped, labels: {}, value: this.#limit.droppedTotal });
    return requireNoErrors(errors, readings);
  }
}

function toReadings(name: string, counters: readonly number[]): Reading[] {
  return SERIES.map(([column, series]) => ({ series, labels: { interface: name }, value: counters[column] as number }));
}
