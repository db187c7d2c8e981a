import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { STALE_MARKER, toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { HistoryReader, type Plot } from '../../../../../uploader/src/http/page/history-reader.ts';
import { StoredSamples } from '../../../../support/uploader/stored-samples.ts';

const NOW = 1_700_000_000_000;
const MINUTE = 60_000;
let stored: StoredSamples;
let monotonicMs: number;
beforeEach(() => {
  stored = new StoredSamples();
  monotonicMs = 0;
});
afterEach(() => stored.remove());

function read(nowMs = NOW): ReturnType<HistoryReader['read']> {
  const reader = new HistoryReader(stored.path);
  try {
    return reader.read(nowMs, () => monotonicMs);
  } finally {
    reader.close();
  }
}

function plot(title: string): Plot | undefined {
  return read().plots.find((each) => each.title === title);
}

/** Minutes before now → values of some series, stored oldest first. */
function store(series: Readonly<Record<number, readonly unknown[]>>): void {
  const rows = Object.entries(series).flatMap(([id, values]) =>
    values.map((value, index) => ({ id: Number(id), value, atMs: NOW - (values.length - index) * MINUTE })),
  );
  for (const { id, value, atMs } of rows.sort((a, b) => a.atMs - b.atMs))
    if (value !== undefined) stored.add(id, atMs, value);
}

test('history reader: an empty database has no plots', () => {
  expect(read()).toEqual({ from: (NOW - 60 * MINUTE) / 1000, to: NOW / 1000, isCutShort: false, plots: [] });
});

describe('history reader: a plot', () => {
  test('has a line per series on common times', () => {
    const [all, core] = [
      stored.series('cpu.usage_percent', { tags: { core: 'all' } }),
      stored.series('cpu.usage_percent', { tags: { core: '0' } }),
    ];
    const [used, available] = [stored.series('memory.used_bytes'), stored.series('memory.available_bytes')];
    store({ [all]: [10, 20, 30], [core]: [99, 99, 99], [used]: [1, undefined, 3], [available]: [9, 8, 7] });
    expect(plot('CPU')?.lines).toEqual([{ label: 'used', values: [10, 20, 30] }]);
    expect(plot('Memory')?.lines).toEqual([
      { label: 'used', values: [1, null, 3] },
      { label: 'available', values: [9, 8, 7] },
    ]);
    expect(plot('CPU')?.times).toEqual([3, 2, 1].map((minutes) => Math.floor((NOW - minutes * MINUTE) / 20_000) * 20));
  });

  test('has a gap where a series ends or has no number, also for what is calculated from it', () => {
    const cpu = stored.series('cpu.usage_percent', { tags: { core: 'all' } });
    const received = stored.series('network.rx_bytes_total', { tags: { interface: 'eth0' } });
    const special = (value: SampleValue): unknown => toStoredValue(value);
    store({
      [cpu]: [10, special(STALE_MARKER), special(NaN), special(-0), 30],
      [received]: [0, 6_000, special(STALE_MARKER), 600, 6_600],
    });
    expect(plot('CPU')?.lines).toEqual([{ label: 'used', values: [10, null, null, 0, 30] }]);
    expect(plot('Network')?.lines).toEqual([{ label: 'received', values: [100, null, null, 100] }]);
  });

  test('of counters has their rate summed over interfaces; a reset counter starts over', () => {
    const of = (name: string, iface: string): number => stored.series(name, { tags: { interface: iface } });
    const [eth, wlan, sent] = [
      of('network.rx_bytes_total', 'eth0'),
      of('network.rx_bytes_total', 'wlan0'),
      of('network.tx_bytes_total', 'eth0'),
    ];
    store({ [eth]: [0, 6_000, 12_000, 600, 1_200], [wlan]: [0, 600, 1_200, 1_800, 2_400], [sent]: [0, 0, 0, 0, 60] });
    expect(plot('Network')?.lines).toEqual([
      { label: 'received', values: [110, 110, 10, 20] },
      { label: 'sent', values: [0, 0, 0, 1] },
    ]);
  });

  test('of disks is summed over devices', () => {
    const of = (name: string, device: string): number => stored.series(name, { tags: { device } });
    const [a, b] = [of('disk.read_bytes_per_second', 'sda'), of('disk.read_bytes_per_second', 'sdb')];
    store({ [a]: [1, 2], [b]: [10, 20], [of('disk.write_bytes_per_second', 'sda')]: [5, 6] });
    expect(plot('Disk')?.lines).toEqual([
      { label: 'read', values: [11, 22] },
      { label: 'written', values: [5, 6] },
    ]);
  });

  test('averages samples closer together than its points', () => {
    const load = stored.series('load.average_1m');
    for (let second = 3_600; second > 0; second--) stored.add(load, NOW - second * 1_000, second % 2);
    expect(plot('Load')?.times).toHaveLength(180);
    expect(new Set(plot('Load')?.lines[0]?.values.slice(1))).toEqual(new Set([0.5]));
  });

  test('is omitted if it has less than two points', () => {
    store({ [stored.series('load.average_1m')]: [1] });
    expect(read().plots).toEqual([]);
  });
});

describe('history reader: the hour', () => {
  test('excludes older samples', () => {
    const load = stored.series('load.average_1m');
    for (const minutes of [90, 61, 59, 30, 1]) stored.add(load, NOW - minutes * MINUTE, minutes);
    expect(plot('Load')?.lines[0]?.values).toEqual([59, 30, 1]);
  });

  test('is in corrected time: a clock step does not shift later samples', () => {
    const load = stored.series('load.average_1m');
    stored.add(load, NOW - 10 * MINUTE, 1);
    stored.beginEpoch(-5 * MINUTE, true);
    stored.add(load, NOW + 3 * MINUTE, 2);
    stored.add(load, NOW + 4 * MINUTE, 3);
    expect(plot('Load')?.times).toEqual(
      [10, 2, 1].map((minutes) => Math.floor((NOW - minutes * MINUTE) / 20_000) * 20),
    );
  });

  test('keeps its newest part if reading it takes too long', () => {
    store({ [stored.series('load.average_1m')]: Array.from({ length: 59 }, (_, index) => index) });
    const reader = new HistoryReader(stored.path);
    const history = reader.read(NOW, () => (monotonicMs += 20));
    reader.close();
    expect(history.isCutShort).toBe(true);
    const values = history.plots[0]!.lines[0]!.values;
    expect([values.at(-1), values.length < 20]).toEqual([58, true]);
  });
});
