import type { Labels } from '@thugshells/shared/metrics/sample.ts';

/** A value at a corrected time. */
export interface PlotPoint {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly value: number;
}

/** The points of one series. */
export interface PlotSeries {
  readonly name: string;
  readonly labels: Labels;
  readonly points: readonly PlotPoint[];
}

interface PlotLine {
  readonly label: string;
  readonly points: readonly PlotPoint[];
}

/** One plot of the status page: the series it shows, and how their points become lines. */
export interface PlotSource {
  readonly title: string;
  readonly unit: 'percent' | 'bytes' | 'bytes_per_second' | 'celsius' | 'count' | 'none';
  readonly names: readonly string[];
  readonly toLines: (rows: readonly PlotSeries[]) => readonly PlotLine[];
}

/** More lines than this cannot be distinguished. */
const MAX_LINES = 4;

/** The plots in the order of the page. */
export const PLOTS: readonly PlotSource[] = [
  {
    title: 'CPU',
    unit: 'percent',
    names: ['cpu.usage_percent'],
    toLines: (rows) =>
      firstLine(
        rows.filter(({ labels }) => labels['core'] === 'all'),
        'used',
      ),
  },
  {
    title: 'Memory',
    unit: 'bytes',
    names: ['memory.used_bytes', 'memory.available_bytes'],
    toLines: (rows) => [
      ...namedLine(rows, 'memory.used_bytes', 'used'),
      ...namedLine(rows, 'memory.available_bytes', 'available'),
    ],
  },
  {
    title: 'Temperature',
    unit: 'celsius',
    names: ['cpu.temperature_celsius'],
    toLines: (rows) =>
      rows.slice(0, MAX_LINES).map(({ labels, points }) => ({ label: labels['zone'] ?? 'zone', points })),
  },
  {
    title: 'Network',
    unit: 'bytes_per_second',
    names: ['network.rx_bytes_total', 'network.tx_bytes_total'],
    toLines: (rows) => [
      ...summedRateLine(rows, 'network.rx_bytes_total', 'received'),
      ...summedRateLine(rows, 'network.tx_bytes_total', 'sent'),
    ],
  },
  {
    title: 'Disk',
    unit: 'bytes_per_second',
    names: ['disk.read_bytes_per_second', 'disk.write_bytes_per_second'],
    toLines: (rows) => [
      ...summedLine(rows, 'disk.read_bytes_per_second', 'read'),
      ...summedLine(rows, 'disk.write_bytes_per_second', 'written'),
    ],
  },
  { title: 'Load', unit: 'none', names: ['load.average_1m'], toLines: (rows) => firstLine(rows, '1 min') },
  {
    title: 'Pending samples',
    unit: 'count',
    names: ['storage.metrics_pending_upload'],
    toLines: (rows) => firstLine(rows, 'pending'),
  },
];

function firstLine(rows: readonly PlotSeries[], label: string): PlotLine[] {
  return rows.slice(0, 1).map(({ points }) => ({ label, points }));
}

function namedLine(rows: readonly PlotSeries[], name: string, label: string): PlotLine[] {
  return firstLine(
    rows.filter((row) => row.name === name),
    label,
  );
}

/** Sums points of the same time: all samples of a scrape have one time. */
function summedLine(rows: readonly PlotSeries[], name: string, label: string): PlotLine[] {
  return sumPoints(
    rows.filter((row) => row.name === name).map(({ points }) => points),
    label,
  );
}

/** Sums the rates of counters; a counter that went backwards was reset, and starts over. */
function summedRateLine(rows: readonly PlotSeries[], name: string, label: string): PlotLine[] {
  const toRates = (points: readonly PlotPoint[]): PlotPoint[] =>
    points.slice(1).flatMap(({ atMs, value }, index) => {
      const before = points[index]!;
      const seconds = (atMs - before.atMs) / 1000;
      return value < before.value || seconds <= 0 ? [] : [{ atMs, value: (value - before.value) / seconds }];
    });
  return sumPoints(
    rows.filter((row) => row.name === name).map(({ points }) => toRates(points)),
    label,
  );
}

function sumPoints(all: readonly (readonly PlotPoint[])[], label: string): PlotLine[] {
  if (all.length === 0) return [];
  const sums = new Map<number, number>();
  for (const { atMs, value } of all.flat()) sums.set(atMs, (sums.get(atMs) ?? 0) + value);
  return [{ label, points: [...sums].map(([atMs, value]) => ({ atMs, value })).sort((a, b) => a.atMs - b.atMs) }];
}
