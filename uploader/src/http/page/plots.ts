import type { Labels } from '@thugshells/shared/metrics/sample.ts';

/** A value at a true time. */
export interface Point {
  /** Unix milliseconds. */
  readonly atMs: number;
  readonly value: number;
}

/** What was read of one series. */
export interface RowsOfPlot {
  readonly name: string;
  readonly labels: Labels;
  readonly points: readonly Point[];
}

interface Line {
  readonly label: string;
  readonly points: readonly Point[];
}

/** One plot of the status page: which series it is made of, and how. */
export interface PlotSource {
  readonly title: string;
  readonly unit: 'percent' | 'bytes' | 'bytes_per_second' | 'celsius' | 'count' | 'none';
  readonly names: readonly string[];
  readonly linesOf: (rows: readonly RowsOfPlot[]) => readonly Line[];
}

/** More lines than this cannot be told apart. */
const MOST_LINES = 4;

/** The main series, in the order in which a person looks at them. */
export const PLOTS: readonly PlotSource[] = [
  {
    title: 'CPU',
    unit: 'percent',
    names: ['cpu.usage_percent'],
    linesOf: (rows) =>
      alone(
        rows.filter(({ labels }) => labels['core'] === 'all'),
        'used',
      ),
  },
  {
    title: 'Memory',
    unit: 'bytes',
    names: ['memory.used_bytes', 'memory.available_bytes'],
    linesOf: (rows) => [
      ...named(rows, 'memory.used_bytes', 'used'),
      ...named(rows, 'memory.available_bytes', 'available'),
    ],
  },
  {
    title: 'Temperature',
    unit: 'celsius',
    names: ['cpu.temperature_celsius'],
    linesOf: (rows) =>
      rows.slice(0, MOST_LINES).map(({ labels, points }) => ({ label: labels['zone'] ?? 'zone', points })),
  },
  {
    title: 'Network',
    unit: 'bytes_per_second',
    names: ['network.rx_bytes_total', 'network.tx_bytes_total'],
    linesOf: (rows) => [
      ...rates(rows, 'network.rx_bytes_total', 'received'),
      ...rates(rows, 'network.tx_bytes_total', 'sent'),
    ],
  },
  {
    title: 'Disk',
    unit: 'bytes_per_second',
    names: ['disk.read_bytes_per_second', 'disk.write_bytes_per_second'],
    linesOf: (rows) => [
      ...sums(rows, 'disk.read_bytes_per_second', 'read'),
      ...sums(rows, 'disk.write_bytes_per_second', 'written'),
    ],
  },
  { title: 'Load', unit: 'none', names: ['load.average_1m'], linesOf: (rows) => alone(rows, '1 min') },
  {
    title: 'Pending samples',
    unit: 'count',
    names: ['storage.metrics_pending_upload'],
    linesOf: (rows) => alone(rows, 'pending'),
  },
];

function alone(rows: readonly RowsOfPlot[], label: string): Line[] {
  return rows.slice(0, 1).map(({ points }) => ({ label, points }));
}

function named(rows: readonly RowsOfPlot[], name: string, label: string): Line[] {
  return alone(
    rows.filter((row) => row.name === name),
    label,
  );
}

/** One scrape has one time, so what was read together can be added up. */
function sums(rows: readonly RowsOfPlot[], name: string, label: string): Line[] {
  return sumOf(
    rows.filter((row) => row.name === name).map(({ points }) => points),
    label,
  );
}

/** The rates of counters, added up; one that went backwards begins anew. */
function rates(rows: readonly RowsOfPlot[], name: string, label: string): Line[] {
  const ofOne = (points: readonly Point[]): Point[] =>
    points.slice(1).flatMap(({ atMs, value }, index) => {
      const before = points[index]!;
      const seconds = (atMs - before.atMs) / 1000;
      return value < before.value || seconds <= 0 ? [] : [{ atMs, value: (value - before.value) / seconds }];
    });
  return sumOf(
    rows.filter((row) => row.name === name).map(({ points }) => ofOne(points)),
    label,
  );
}

function sumOf(all: readonly (readonly Point[])[], label: string): Line[] {
  if (all.length === 0) return [];
  const sums = new Map<number, number>();
  for (const { atMs, value } of all.flat()) sums.set(atMs, (sums.get(atMs) ?? 0) + value);
  return [{ label, points: [...sums].map(([atMs, value]) => ({ atMs, value })).sort((a, b) => a.atMs - b.atMs) }];
}
