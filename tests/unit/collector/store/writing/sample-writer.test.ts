// Longer than a test should be: what a transaction writes is compared table by table.
import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import { Admission } from '../../../../../collector/src/store/writing/admission.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import {
  gauge,
  migratedDatabase,
  NOW,
  reading,
  startOn,
  createStatus,
  view,
} from '../../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
let database: Database;
let process: ReturnType<typeof startOn>;

/** What one write did. */
interface WriteResult {
  readonly stored: number;
  readonly refusals: readonly string[];
}

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

/** Admits and commits one scrape. */
function write(readings: readonly Reading[]): WriteResult {
  const { admission, clock, writer } = process;
  const at = readInstant(clock);
  const { samples, refusals } = admission.admit(readings, at.wallMs);
  writer.commit([{ at, samples, status: createStatus() }]);
  return { stored: samples.length, refusals };
}

/** Lets the last statement of each commit fail while `work` runs. */
function whileFailing(work: () => void): void {
  database.exec(
    `CREATE TEMP TRIGGER fails BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'it fails'); END`,
  );
  try {
    expect(work).toThrow('it fails');
  } finally {
    database.exec('DROP TRIGGER fails');
  }
}

async function writeLater(ms: number, ...readings: Reading[]): Promise<WriteResult> {
  await process.clock.advance(ms);
  return write(readings);
}

function state(): unknown {
  return database.prepare('SELECT last_id, collected, dropped, heartbeat FROM collector_state').raw().get();
}

describe('sample writer: one scrape', () => {
  test('sample writer: stores a scrape with one time, its labels and its device', () => {
    expect(write([reading('cpu.usage', 12.5, { core: '0' }), reading('cpu.usage', 99, { core: '1' })])).toEqual({
      stored: 2,
      refusals: [],
    });
    expect(view(database, 'id, timestamp_ms, metric_name, metric_value, tags, device_id, uploaded')).toEqual([
      [1, NOW, 'cpu.usage', 12.5, '{"core":"0"}', 'b1', 0],
      [2, NOW, 'cpu.usage', 99, '{"core":"1"}', 'b1', 0],
    ]);
  });

  test('sample writer: other labels of the site begin new series, and leave the stored ones as they are', () => {
    const admit = (siteLabels: Record<string, string>) => {
      const admission = new Admission({ deviceId: 'b1', labels: {}, siteLabels, remoteProtocol: 'victoriametrics' });
      const at = readInstant(process.clock);
      const { samples } = admission.admit([reading('a.x', 1)], at.wallMs);
      process.writer.commit([{ at, samples, status: createStatus() }]);
    };
    for (const site of [{ site: 'berlin' }, { site: 'roof' }, { site: 'berlin' }]) admit(site);
    expect(view(database, 'tags').flat()).toEqual(['{"site":"berlin"}', '{"site":"roof"}', '{"site":"berlin"}']);
    expect(database.prepare('SELECT count(*) FROM series').pluck().get()).toBe(2);
  });

  test('sample writer: updates the books in the same transaction', () => {
    write([reading('a.x', 1), reading('a.y', 2)]);
    expect(state()).toEqual([2, 2, 0, NOW]);
  });

  test('sample writer: scrape and heartbeat have the wall clock’s time, also after a step', async () => {
    write([reading('a.x', 1)]);
    process.clock.step(3_600_000);
    await writeLater(1_000, reading('a.x', 2));
    expect(state()).toEqual([2, 2, 0, NOW + 3_601_000]);
    expect(view(database, 'timestamp_ms').flat()).toEqual([NOW, NOW + 3_601_000]);
  });

  test('sample writer: a scrape without readings updates the heartbeat', async () => {
    await writeLater(10_000);
    expect(state()).toEqual([0, 0, 0, NOW + 10_000]);
  });

  test('sample writer: stores the status of the collector in the same transaction, and nothing if that fails', () => {
    whileFailing(() => write([reading('a.x', 1)]));
    expect(view(database, 'id')).toEqual([]);
    expect(state()).toEqual([0, 0, 0, 0]);
    write([reading('a.x', 1)]);
    expect(database.prepare('SELECT collector FROM collector_status').pluck().all()).toEqual(['test']);
  });

  test('sample writer: stores a scrape in one commit, whatever the number of readings', () => {
    const other = folder.keep(migratedDatabase(folder.path('metrics.db')));
    database.exec('CREATE TEMP TABLE seen (commits)');
    const version = (): unknown => other.pragma('data_version', { simple: true });
    // While the last of its rows is written, nobody else sees any of them.
    let duringWrite: unknown;
    database.function('look', () => {
      duringWrite = other.prepare('SELECT COUNT(*) FROM samples').pluck().get();
      return 0;
    });
    database.exec('CREATE TEMP TRIGGER looks BEFORE INSERT ON collector_status BEGIN SELECT look(); END');
    const before = version();
    write(Array.from({ length: 60 }, (_, index) => reading('a.x', index, { i: String(index) })));
    expect(duringWrite).toBe(0);
    expect(version()).not.toBe(before);
    expect(other.prepare('SELECT COUNT(*) FROM samples').pluck().get()).toBe(60);
  });
});

describe('sample writer: several scrapes', () => {
  test('sample writer: stores several scrapes in one commit, each with its own time, and the books count all', async () => {
    const { admission, clock, writer } = process;
    const scrapes = [];
    for (const value of [1, 2, 3]) {
      const at = readInstant(clock);
      scrapes.push({
        at,
        samples: admission.admit([reading('a.x', value)], at.wallMs).samples,
        status: createStatus(),
      });
      await clock.advance(10_000);
    }
    writer.commit(scrapes);
    expect(view(database, 'id, timestamp_ms, metric_value')).toEqual([
      [1, NOW, 1],
      [2, NOW + 10_000, 2],
      [3, NOW + 20_000, 3],
    ]);
    expect(state()).toEqual([3, 3, 0, NOW + 20_000]);
  });

  test('sample writer: books scrapes that were dropped from the buffer as collected and dropped, with their times', () => {
    process.writer.commit([], { reason: 'memory', count: 7, firstMs: NOW - 5_000, lastMs: NOW - 1_000 });
    expect(state()).toEqual([0, 7, 7, 0]);
    expect(database.prepare('SELECT reason, count, first_ms, last_ms FROM losses').raw().all()).toEqual([
      ['memory', 7, NOW - 5_000, NOW - 1_000],
    ]);
    expect(database.prepare('SELECT balanced FROM books').pluck().get()).toBe(1);
  });
});

describe('sample writer: ids', () => {
  test('sample writer: ids continue after every row has been deleted and after a restart', async () => {
    write([reading('a.x', 1), reading('a.y', 2)]);
    database.exec('DELETE FROM samples');
    await writeLater(1000, reading('a.x', 3));
    expect(view(database, 'id')).toEqual([[3]]);
    database.exec('DELETE FROM samples');
    process = startOn(database, { clock: process.clock });
    await writeLater(1000, reading('a.x', 4));
    expect(view(database, 'id')).toEqual([[4]]);
    expect(state()).toEqual([4, 4, 0, NOW + 2000]);
  });

  test('sample writer: ids follow the order of the series, whatever the order of the readings', async () => {
    write([reading('a.x', 1), reading('a.y', 2), reading('a.z', 3)]);
    await writeLater(1000, reading('a.z', 30), reading('a.x', 10), reading('a.y', 20));
    expect(view(database, 'id, metric_name').slice(3)).toEqual([
      [4, 'a.x'],
      [5, 'a.y'],
      [6, 'a.z'],
    ]);
  });

  test('sample writer: ids of a failed transaction are used again', async () => {
    whileFailing(() => write([reading('a.x', 1)]));
    await writeLater(1000, reading('a.x', 1));
    expect(view(database, 'id')).toEqual([[1]]);
  });
});

describe('sample writer: series', () => {
  test('sample writer: a series is stored once, whatever the order of its labels, and found again after a restart', async () => {
    write([reading('a.x', 1, { b: '2', a: '1' })]);
    await writeLater(1000, reading('a.x', 2, { a: '1', b: '2' }));
    process = startOn(database, { clock: process.clock });
    await writeLater(1000, reading('a.x', 3, { b: '2', a: '1' }));
    expect(database.prepare('SELECT name, tags FROM series').raw().all()).toEqual([['a.x', '{"a":"1","b":"2"}']]);
    expect(view(database, 'metric_value').flat()).toEqual([1, 2, 3]);
  });

  test('sample writer: series of a failed transaction are created by the next one', async () => {
    whileFailing(() => write([reading('a.x', 1), reading('a.y', 2)]));
    expect(database.prepare('SELECT COUNT(*) FROM series').pluck().get()).toBe(0);
    await writeLater(1000, reading('b.z', 9), reading('a.x', 1));
    expect(view(database, 'metric_name, metric_value')).toEqual([
      ['b.z', 9],
      ['a.x', 1],
    ]);
  });

  test('sample writer: stores the declared priority of a series', () => {
    write([{ series: gauge('a.x', 5), labels: {}, value: 1 }]);
    expect(view(database, 'priority')).toEqual([[5]]);
  });

  test('sample writer: a series has the labels of the device besides its own', () => {
    process = startOn(database, { labels: { simulated: 'true' } });
    write([reading('a.x', 1, { core: '0' })]);
    expect(view(database, 'tags')).toEqual([['{"core":"0","simulated":"true"}']]);
  });
});

describe('sample writer: values', () => {
  test.each([
    [0, 'integer'],
    [7, 'integer'],
    [-7, 'integer'],
    [2 ** 40, 'integer'],
    [Number.MAX_SAFE_INTEGER, 'integer'],
    [12.5, 'real'],
    [2 ** 60, 'real'],
    [1e300, 'real'],
    ['5.10.160', 'text'],
    ['7', 'text'],
  ])('sample writer: stores %p as %s, and it is read back the same', (value, type) => {
    write([reading('a.x', value)]);
    expect(database.prepare('SELECT typeof(value), value FROM samples').raw().get()).toEqual([type, value]);
  });
});

describe('admission: refused readings', () => {
  test('admission: returns the reason of a refused reading, and the rest of the scrape is stored', () => {
    const result = write([reading('a.x', NaN), reading('a.y', 1), reading('a.z', 1, { path: 'x'.repeat(4097) })]);
    expect(result).toEqual({
      stored: 1,
      refusals: [
        'a.x: value NaN is not finite',
        'a.z: label "path" has 4097 bytes, VictoriaMetrics drops more than 4096: shorten it at the source',
      ],
    });
    expect(view(database, 'metric_name')).toEqual([['a.y']]);
    expect(state()).toMatchObject([1, 1, 0, NOW]);
    expect(database.prepare('SELECT name FROM series').pluck().all()).toEqual(['a.y']);
  });

  test('admission: refuses a second value of one series in one scrape', () => {
    expect(
      write([reading('a.x', 1, { core: '0' }), reading('a.x', 2, { core: '0' }), reading('a.x', 3, { core: '1' })]),
    ).toEqual({
      stored: 2,
      refusals: ['a.x: twice in one scrape'],
    });
    expect(view(database, 'metric_value').flat()).toEqual([1, 3]);
  });

  test('admission: refuses a name that would be exported as another stored one', async () => {
    write([reading('cpu.usage_all', 1)]);
    expect(await writeLater(1000, reading('cpu.usage.all', 2), reading('cpu.usage_all', 3))).toEqual({
      stored: 1,
      refusals: ['cpu.usage.all: has the same exported name as cpu.usage_all'],
    });
    process = startOn(database, { clock: process.clock });
    expect((await writeLater(1000, reading('cpu.usage.all', 4))).refusals).toHaveLength(1);
  });

  test('admission: refuses a name that would be exported as another one of the same scrape', () => {
    expect(write([reading('cpu.usage_all', 1), reading('cpu.usage.all', 2)]).refusals).toEqual([
      'cpu.usage.all: has the same exported name as cpu.usage_all',
    ]);
  });

  test('admission: refuses a number whose name is the exported name of a text, with _info', async () => {
    write([reading('system.kernel', '5.10.160'), reading('system.uptime_info', 1)]);
    expect(await writeLater(1000, reading('system.kernel_info', 1), reading('system.uptime', 'long'))).toEqual({
      stored: 0,
      refusals: [
        'system.kernel_info: has the same exported name as system.kernel',
        'system.uptime: has the same exported name as system.uptime_info',
      ],
    });
    expect((await writeLater(1000, reading('system.kernel', 1))).refusals).toEqual([]);
  });
});

describe('sample writer: fsync', () => {
  function synchronous(): unknown {
    return { 1: 'NORMAL', 2: 'FULL' }[database.pragma('synchronous', { simple: true }) as number];
  }

  test('sample writer: one commit in each SYNC_INTERVAL is fsynced', async () => {
    const settings: unknown[] = [];
    for (let scrape = 0; scrape < 8; scrape++) {
      write([reading('a.x', scrape)]);
      settings.push(synchronous());
      await process.clock.advance(10_000);
    }
    expect(settings).toEqual(['FULL', 'NORMAL', 'NORMAL', 'FULL', 'NORMAL', 'NORMAL', 'FULL', 'NORMAL']);
  });

  test('sample writer: each commit is fsynced if SYNC_INTERVAL is 0', () => {
    process = startOn(database, { syncIntervalMs: 0 });
    const settings: unknown[] = [];
    for (let scrape = 0; scrape < 3; scrape++) {
      write([]);
      settings.push(synchronous());
    }
    expect(settings).toEqual(['FULL', 'FULL', 'FULL']);
  });

  test('sample writer: fsyncs the next commit if the one that was due has failed', () => {
    whileFailing(() => write([reading('a.x', 1)]));
    write([reading('a.x', 1)]);
    expect(synchronous()).toBe('FULL');
  });
});
