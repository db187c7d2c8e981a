import type { Labels } from '@thugshells/shared/metrics/sample.ts';

/** The parts of a plot that can be shown by themselves. */
export type PlotPart = 'core' | 'interface' | 'disk' | 'file system';

/** Finds the line that a series belongs to; undefined if it is in none. Series of one line are summed. */
type FindLine = (name: string, labels: Labels) => string | undefined;

/** One plot of the status page: the series it shows, and the lines that they are in. */
export interface PlotSource {
  readonly id: string;
  readonly title: string;
  readonly unit: 'percent' | 'memory_bytes' | 'disk_bytes' | 'bytes_per_second' | 'celsius' | 'count' | 'none';
  readonly names: readonly string[];
  /** Whether the series are counters, of which the plot shows the rate. */
  readonly isRate?: true;
  readonly findLine: FindLine;
  /** Lines in place of these, on demand. */
  readonly parts?: { readonly by: PlotPart; readonly findLine: FindLine };
}

const DIRECTIONS: Readonly<Record<string, string>> = {
  'network.rx_bytes_total': 'received',
  'network.tx_bytes_total': 'sent',
  'disk.read_bytes_per_second': 'read',
  'disk.write_bytes_per_second': 'written',
};
const direction: FindLine = (name) => DIRECTIONS[name];
const directionOf =
  (label: string): FindLine =>
  (name, labels) =>
    `${labels[label] ?? 'unnamed'} ${DIRECTIONS[name]}`;

/** The plots in the order of the page. */
export const PLOTS: readonly PlotSource[] = [
  {
    ...{ id: 'cpu', title: 'CPU', unit: 'percent', names: ['cpu.usage_percent'] },
    findLine: (_, { core }) => (core === 'all' ? 'used' : undefined),
    parts: { by: 'core', findLine: (_, { core }) => (core === 'all' ? undefined : `core ${core}`) },
  },
  {
    ...{ id: 'memory', title: 'Memory', unit: 'memory_bytes', names: ['memory.used_bytes', 'memory.available_bytes'] },
    findLine: (name) => (name === 'memory.used_bytes' ? 'used' : 'available'),
  },
  {
    ...{ id: 'temperature', title: 'Temperature', unit: 'celsius', names: ['cpu.temperature_celsius'] },
    findLine: (_, { zone }) => zone ?? 'sensor',
  },
  {
    ...{ id: 'network', title: 'Network', unit: 'bytes_per_second', isRate: true },
    names: ['network.rx_bytes_total', 'network.tx_bytes_total'],
    findLine: direction,
    parts: { by: 'interface', findLine: directionOf('interface') },
  },
  {
    ...{ id: 'disk', title: 'Disk', unit: 'bytes_per_second' },
    names: ['disk.read_bytes_per_second', 'disk.write_bytes_per_second'],
    findLine: direction,
    parts: { by: 'disk', findLine: directionOf('device') },
  },
  {
    ...{ id: 'space', title: 'Free disk space', unit: 'disk_bytes', names: ['filesystem.available_bytes'] },
    findLine: (_, { mountpoint }) => (mountpoint === '/' ? 'free on /' : undefined),
    parts: { by: 'file system', findLine: (_, { mountpoint }) => mountpoint },
  },
  { id: 'load', title: 'Load', unit: 'none', names: ['load.average_1m'], findLine: () => '1 min' },
  {
    ...{ id: 'pending', title: 'Pending samples', unit: 'count', names: ['storage.metrics_pending_upload'] },
    findLine: () => 'pending',
  },
];

/** The plots whose parts can be asked for, by id. */
export const PLOTS_WITH_PARTS = PLOTS.filter(({ parts }) => parts !== undefined).map(({ id }) => id);

/** The ranges that can be asked for, hours. */
export const RANGES_HOURS = [1, 6, 24, 72] as const;
export type RangeHours = (typeof RANGES_HOURS)[number];

/** What a client asks for. */
export interface HistoryQuery {
  readonly hours: RangeHours;
  /** Ids of plots whose parts are shown. */
  readonly parts: readonly string[];
}

/** Parses `?hours=6&parts=cpu,disk`; undefined if a value is not one of those that exist. */
export function parseHistoryQuery(url: string): HistoryQuery | undefined {
  const query = new URL(url, 'http://localhost').searchParams;
  const hours = RANGES_HOURS.find((each) => `${each}` === (query.get('hours') ?? '1'));
  const parts = [...new Set((query.get('parts') ?? '').split(',').filter((id) => id !== ''))].sort();
  if (hours === undefined || !parts.every((id) => PLOTS_WITH_PARTS.includes(id))) return undefined;
  return { hours, parts };
}
