import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { STALE_MARKER, toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';

import { HistoryReader, type History } from '../../../../../uploader/src/http/page/history-reader.ts';
import type { Plot } from '../../../../../uploader/src/http/page/plot-set.ts';
import type { HistoryQuery } from '../../../../../uploader/src/http/page/plots.ts';
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

const HOUR: HistoryQuery = { hours: 1, parts: [] };

function read(query = HOUR, nowMs = NOW): History {
  const reader = new HistoryReader(stored.path);
  try {
    return reader.read(query, nowMs, () => monotonicMs);
  } finally {
    reader.close();
  }
}

function plot(title: string, query = HOUR): Plot | undefined {
  return read(query).plots.find((each) => each.title === title);
}

/** Returns labels and means of a plot's lines. */
function lines(title: string, query = HOUR): unknown {
  return plot(title, query)?.lines.map(({ label, values }) => [label, values]);
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
  const from = (NOW - 5 * MINUTE) / 1000;
  expect(read()).toEqual({ from, to: NOW / 1000, isCutShort: false, readFrom: from, plots: [] });
});

describe('history reader: a plot', () => {
  test('has a line per series on common times', () => {
    const [all, core] = [
      stored.series('cpu.usage_percent', { tags: { core: 'all' } }),
      stored.series('cpu.usage_percent', { tags: { core: '0' } }),
    ];
    const [used, available] = [stored.series('memory.used_bytes'), stored.series('memory.available_bytes')];
    store({ [all]: [10, 20, 30], [core]: [99, 99, 99], [used]: [1, undefined, 3], [available]: [9, 8, 7] });
    expect(lines('CPU')).toEqual([['used', [10, 20, 30]]]);
    expect(lines('Memory')).toEqual([
      ['available', [9, 8, 7]],
      ['used', [1, null, 3]],
    ]);
    expect(plot('CPU')?.times).toEqual(toTimes(3, 2, 1));
    expect(lines('CPU', { hours: 1, parts: ['cpu'] })).toEqual([['core 0', [99, 99, 99]]]);
    expect(plot('CPU')?.by).toBe('core');
  });

  test('has a gap where a series ends or has no number, also for what is calculated from it', () => {
    const cpu = stored.series('cpu.usage_percent', { tags: { core: 'all' } });
    const received = stored.series('network.rx_bytes_total', { tags: { interface: 'eth0' } });
    const special = (value: SampleValue): unknown => toStoredValue(value);
    store({
      [cpu]: [10, special(STALE_MARKER), special(NaN), special(-0), 30],
      [received]: [0, 6_000, special(STALE_MARKER), 600, 6_600],
    });
    expect([lines('CPU'), plot('CPU')?.times]).toEqual([[['used', [10, 0, 30]]], toTimes(5, 2, 1)]);
    expect([lines('Network'), plot('Network')?.times]).toEqual([[['received', [100, 100]]], toTimes(4, 1)]);
  });

  test('of counters has their rate summed over interfaces; a reset counter starts over', () => {
    const of = (name: string, iface: string): number => stored.series(name, { tags: { interface: iface } });
    const [eth, wlan, sent] = [
      of('network.rx_bytes_total', 'eth0'),
      of('network.rx_bytes_total', 'wlan0'),
      of('network.tx_bytes_total', 'eth0'),
    ];
    store({ [eth]: [0, 6_000, 12_000, 600, 1_200], [wlan]: [0, 600, 1_200, 1_800, 2_400], [sent]: [0, 0, 0, 0, 60] });
    expect(lines('Network')).toEqual([
      ['received', [110, 110, 10, 20]],
      ['sent', [0, 0, 0, 1]],
    ]);
    expect(lines('Network', { hours: 1, parts: ['network'] })).toEqual([
      ['eth0 received', [100, 100, null, 10]],
      ['wlan0 received', [10, 10, 10, 10]],
      ['eth0 sent', [0, 0, 0, 1]],
    ]);
  });

  test('of disks is summed over devices', () => {
    const of = (name: string, device: string): number => stored.series(name, { tags: { device } });
    const [a, b] = [of('disk.read_bytes_per_second', 'sda'), of('disk.read_bytes_per_second', 'sdb')];
    store({ [a]: [1, 2], [b]: [10, 20], [of('disk.write_bytes_per_second', 'sda')]: [5, 6] });
    expect(lines('Disk')).toEqual([
      ['read', [11, 22]],
      ['written', [5, 6]],
    ]);
  });

  test('has mean, minimum and maximum of samples closer together than its points', () => {
    const load = stored.series('load.average_1m');
    for (let second = 3_600; second > 0; second--) stored.add(load, NOW - second * 1_000, second % 15 === 7 ? 15 : 0);
    const { times, lines: found, bucketSeconds } = plot('Load')!;
    expect([bucketSeconds, times.length]).toEqual([15, 241]);
    const [line] = found;
    expect([new Set(line!.values.slice(1, -1)), new Set(line!.min), new Set(line!.max.slice(1, -1))]).toEqual([
      ...[new Set([1]), new Set([0]), new Set([15])],
    ]);
  });

  test('has eight lines at most, and the number of the others', () => {
    for (let core = 0; core < 11; core++)
      store({ [stored.series('cpu.usage_percent', { tags: { core: `${core}` } })]: [1, 2] });
    const found = plot('CPU', { hours: 1, parts: ['cpu'] });
    expect([found?.lines.length, found?.linesLeftOut]).toEqual([8, 3]);
  });

  test('is omitted if it has less than two points', () => {
    store({ [stored.series('load.average_1m')]: [1] });
    expect(read().plots).toEqual([]);
  });
});

/** Returns the times of the buckets of an hour that hold these minutes before now. */
function toTimes(...minutes: readonly number[]): number[] {
  return minutes.map((each) => Math.floor((NOW - each * MINUTE) / 15_000) * 15 + 7.5);
}

describe('history reader: the range', () => {
  test('excludes older samples', () => {
    const load = stored.series('load.average_1m');
    for (const minutes of [90, 61, 59, 30, 1]) stored.add(load, NOW - minutes * MINUTE, minutes);
    expect(lines('Load')).toEqual([['1 min', [59, 30, 1]]]);
    expect(lines('Load', { hours: 6, parts: [] })).toEqual([['1 min', [90, 61, 59, 30, 1]]]);
  });

  test('grows from five minutes to what was asked for while the device is young', () => {
    const load = stored.series('load.average_1m');
    stored.add(load, NOW - 3 * MINUTE, 1);
    stored.add(load, NOW - 2 * MINUTE, 1);
    const long = { hours: 72, parts: [] } as const;
    expect([read(long).from, plot('Load', long)?.bucketSeconds]).toEqual([NOW / 1000 - 300, 15]);
    expect(read(long, NOW + 7 * MINUTE).from).toBe(NOW / 1000 - 180);
    expect(read(long, NOW + 600 * MINUTE).from).toBe(NOW / 1000 - 180);
    expect(read(HOUR, NOW + 600 * MINUTE).from).toBe(NOW / 1000 + 540 * 60);
  });

  test('is in corrected time: a clock step does not shift later samples', () => {
    const load = stored.series('load.average_1m');
    stored.add(load, NOW - 10 * MINUTE, 1);
    stored.beginEpoch(-5 * MINUTE, true);
    stored.add(load, NOW + 3 * MINUTE, 2);
    stored.add(load, NOW + 4 * MINUTE, 3);
    expect(plot('Load')?.times).toEqual(toTimes(10, 2, 1));
  });

  test('begins with its newest part if reading it takes too long, and is completed by the next requests', () => {
    const [load, sent] = [
      stored.series('load.average_1m'),
      stored.series('network.tx_bytes_total', { tags: { interface: 'eth0' } }),
    ];
    const values = Array.from({ length: 59 }, (_, index) => index);
    store({ [load]: values, [sent]: values.map((value) => value * 60) });
    const whole = read();
    const reader = new HistoryReader(stored.path);
    const readSlowly = (nowMs = NOW): History => reader.read(HOUR, nowMs, () => (monotonicMs += 20));
    const first = readSlowly();
    const shown = first.plots[0]!.lines[0]!.values;
    expect([first.isCutShort, shown.at(-1), shown.length < 20]).toEqual([true, 1, true]);
    expect(first.readFrom).toBeGreaterThan(first.from + 1_000);
    let last = first;
    for (let times = 0; last.isCutShort; times++, last = readSlowly()) expect(times).toBeLessThan(20);
    expect(last).toEqual(whole);
    stored.add(load, NOW + 30_000, 99);
    const later = readSlowly(NOW + 30_000).plots.find(({ title }) => title === 'Load')!.lines[0]!.values;
    expect([later.length, later.at(-1)]).toEqual([60, 99]);
    reader.close();
  });
});
