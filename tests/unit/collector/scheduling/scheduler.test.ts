// Longer than a test should be: each thing that a scrape can come to is a case, with what it logs and stores.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';

import type {
  Collector,
  CollectorEvent,
  LeftOutSamples,
  Scrape,
} from '../../../../collector/src/collectors/collector.ts';
import { PartialResultError } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { Scheduler, type ScheduledCollector } from '../../../../collector/src/scheduling/scheduler.ts';
import { SeriesLimit } from '../../../../collector/src/scheduling/series-limit.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { NOW, reading, storeOn, view } from '../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
let database: Database;
let clock: FakeClock;
let process: ReturnType<typeof storeOn>;
let stop: AbortController;
let running: Promise<void> | undefined;

/** Records what is reported to systemd. */
const reported = {
  beats: 0,
  lines: [] as string[],
  reportProgress(): void {
    reported.beats += 1;
  },
  reportStatus(line: string): void {
    if (line !== reported.lines.at(-1)) reported.lines.push(line);
  },
};

beforeEach(() => {
  Object.assign(reported, { beats: 0, lines: [] });
  clock = new FakeClock(NOW);
  restart('cpu', 'disk');
  database = folder.keep(openDatabase(folder.path('metrics.db')));
});

afterEach(async () => {
  await end();
  process.store.close();
});

function restart(...collectors: string[]): void {
  process = storeOn(folder.path('metrics.db'), { clock, collectors });
  process.log.lines.length = 0;
}

/** A collector whose every scrape a test decides on; it remembers when it was asked. */
class ScriptedCollector implements Collector {
  readonly comparesReads = false;
  notice: string | undefined;
  leftOut: readonly LeftOutSamples[] = [];
  events: readonly CollectorEvent[] = [];
  readonly askedAt: number[] = [];

  readonly name: string;
  readonly #answer: (turn: number) => readonly Reading[] | Promise<readonly Reading[]>;

  constructor(
    name: string,
    answer: (turn: number) => readonly Reading[] | Promise<readonly Reading[]> = (turn) => [reading(`${name}.x`, turn)],
  ) {
    this.name = name;
    this.#answer = answer;
  }

  async collect(scrape: Scrape): Promise<readonly Reading[]> {
    this.askedAt.push(scrape.monotonicMs);
    return this.#answer(this.askedAt.length - 1);
  }
}

/** Starts the collectors; resolves after their first scrapes, if these need no time. */
async function run(...collectors: [Collector, number][]): Promise<void> {
  stop = new AbortController();
  const scheduler = new Scheduler({
    clock,
    logger: process.log,
    store: process.store,
    batcher: {
      add: (scrape) => {
        process.store.add(scrape);
        process.store.flush();
      },
    },
    seriesLimit: new SeriesLimit({ perCollector: 3, total: 5 }),
    manager: reported,
  });
  const scheduled: ScheduledCollector[] = collectors.map(([collector, intervalMs]) => ({ collector, intervalMs }));
  running = scheduler.run(scheduled, stop.signal);
  await clock.advance(0);
}

async function end(): Promise<void> {
  stop?.abort();
  await running;
  running = undefined;
}

function statusOf(collector: string): Record<string, unknown> {
  return database.prepare('SELECT * FROM collector_status WHERE collector = ?').get(collector) as Record<
    string,
    unknown
  >;
}

function fault(code: string): AgentError {
  return new AgentError(`cannot parse /proc/stat: ${code}`, { code });
}

test('scheduler: stores the ends of series when it stops, with the time of then, of collectors that have collected', async () => {
  class EndingCollector extends ScriptedCollector {
    end(): Reading[] {
      return [reading(`${this.name}.x`, 9)];
    }
  }
  const hangs = new EndingCollector('disk', () => new Promise(() => undefined));
  await run([new EndingCollector('cpu'), 10_000], [hangs, 10_000]);
  await clock.advance(4_000);
  await end();
  expect(view(database, 'metric_name, timestamp_ms, metric_value')).toEqual([
    ['cpu.x', NOW, 0],
    ['cpu.x', NOW + 4_000, 9],
  ]);
  expect(statusOf('cpu')).toMatchObject({ collected: 2, failed: 0 });
});

describe('scheduler: times of scrapes', () => {
  test('scheduler: runs each collector at once, then at its own interval', async () => {
    const cpu = new ScriptedCollector('cpu');
    const disk = new ScriptedCollector('disk');
    await run([cpu, 10_000], [disk, 30_000]);
    await clock.advance(60_000);
    expect(cpu.askedAt).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000, 60_000]);
    expect(disk.askedAt).toEqual([0, 30_000, 60_000]);
    expect(view(database, 'timestamp_ms').length).toBe(10);
  });

  test('scheduler: does not drift, however long each scrape takes', async () => {
    const cpu: ScriptedCollector = new ScriptedCollector('cpu', async () => {
      await clock.sleep(37 * (cpu.askedAt.length % 3));
      return [];
    });
    await run([cpu, 1_000]);
    await clock.advance(100_000);
    expect(cpu.askedAt).toEqual(Array.from({ length: 101 }, (_, turn) => turn * 1_000));
  });

  test('scheduler: skips the scrapes that a slow one overran, and goes on at multiples of the interval', async () => {
    const slow = new ScriptedCollector('slow', async (turn) => {
      await clock.sleep(turn === 1 ? 25_000 : 1_000);
      return [];
    });
    await run([slow, 10_000]);
    await clock.advance(60_000);
    expect(slow.askedAt).toEqual([0, 10_000, 40_000, 50_000, 60_000]);
  });

  test('scheduler: a slow collector delays no other', async () => {
    const cpu = new ScriptedCollector('cpu');
    await run([new ScriptedCollector('hangs', () => new Promise(() => undefined)), 10_000], [cpu, 10_000]);
    await clock.advance(30_000);
    expect(cpu.askedAt).toEqual([0, 10_000, 20_000, 30_000]);
    expect(statusOf('cpu')).toMatchObject({ status: 'ok', collected: 4 });
  });

  test('scheduler: samples of a slow scrape have the time at which it began', async () => {
    await run([
      new ScriptedCollector('slow', async () => {
        await clock.sleep(3_000);
        return [reading('slow.x', 1)];
      }),
      10_000,
    ]);
    await clock.advance(5_000);
    expect(view(database, 'timestamp_ms').flat()).toEqual([NOW]);
  });

  test('scheduler: stops at once while a collector hangs, and leaves no sleeper', async () => {
    await run(
      [new ScriptedCollector('hangs', () => new Promise(() => undefined)), 10_000],
      [new ScriptedCollector('cpu'), 10_000],
    );
    await clock.advance(5_000);
    await end();
    expect(clock.sleeping).toBe(0);
  });
});

describe('scheduler: a failing collector', () => {
  test('scheduler: stores nothing of a failing collector, counts each failure, and runs the others', async () => {
    await run(
      [
        new ScriptedCollector('cpu', () => {
          throw fault('KERNEL_FILE_UNREADABLE');
        }),
        10_000,
      ],
      [new ScriptedCollector('disk'), 10_000],
    );
    await clock.advance(20_000);
    expect(statusOf('cpu')).toMatchObject({
      status: 'failing',
      message: 'cannot parse /proc/stat: KERNEL_FILE_UNREADABLE',
      collected: 0,
      failed: 3,
      since: NOW,
      last_scrape: NOW + 20_000,
    });
    expect(statusOf('disk')).toMatchObject({ status: 'ok', collected: 3, failed: 0 });
  });

  test('scheduler: logs a failure when it begins and when it ends, not in between', async () => {
    await run([
      new ScriptedCollector('cpu', (turn) => {
        if (turn >= 1 && turn < 4) throw fault('KERNEL_FILE_MALFORMED');
        return [];
      }),
      10_000,
    ]);
    await clock.advance(55_000);
    expect(process.log.said('error', 'warn')).toEqual(['warn: collector failing', 'warn: collector recovered']);
    expect(process.log.lines.find(({ level }) => level === 'warn')?.fields).toMatchObject({
      collector: 'cpu',
      error_code: 'KERNEL_FILE_MALFORMED',
      error_type: 'AgentError',
    });
    expect(statusOf('cpu')).toMatchObject({ status: 'ok', message: '', since: NOW + 40_000 });
  });

  test('scheduler: a collector with refused readings is failing, with the reasons; the other readings are stored', async () => {
    await run([new ScriptedCollector('cpu', () => [reading('cpu.x', NaN), reading('cpu.y', 1)]), 10_000]);
    expect(statusOf('cpu')).toMatchObject({
      status: 'failing',
      message: 'cpu.x: value NaN is not finite',
      collected: 1,
      failed: 1,
    });
    expect(process.log.said('warn')).toEqual(['warn: collector failing']);
  });

  test('scheduler: a collector that can read a part of its sources is failing, and that part is stored', async () => {
    const filesystem = new ScriptedCollector('filesystem', () => {
      throw new PartialResultError([fault('KERNEL_FILE_UNREADABLE')], [reading('filesystem.size_bytes', 5)]);
    });
    await run([filesystem, 1_000]);
    expect(statusOf('filesystem')).toMatchObject({ status: 'failing', collected: 1, failed: 1 });
  });

  test('scheduler: logs the stack of an unexpected error', async () => {
    await run([
      new ScriptedCollector('cpu', () => {
        throw new TypeError('oops');
      }),
      10_000,
    ]);
    expect(process.log.lines.find(({ level }) => level === 'warn')?.fields).toMatchObject({
      error: 'oops',
      stack: expect.stringContaining('TypeError'),
    });
  });
});

describe('scheduler: a collector whose source the kernel lacks', () => {
  test('scheduler: a collector whose source the kernel lacks is absent, not failed, and logged at debug only', async () => {
    await run([
      new ScriptedCollector('pressure', () => {
        throw fault('KERNEL_FILE_ABSENT');
      }),
      10_000,
    ]);
    await clock.advance(30_000);
    expect(statusOf('pressure')).toMatchObject({ status: 'absent', failed: 0, collected: 0, since: NOW });
    expect(process.log.said('error', 'warn', 'info')).toEqual([]);
    expect(process.log.said('debug')).toContain('debug: collector absent on this kernel');
  });
});

describe('scheduler: status of a collector', () => {
  test('scheduler: counters of a collector continue after a restart', async () => {
    await run([
      new ScriptedCollector('cpu', (turn) => {
        if (turn === 1) throw fault('KERNEL_FILE_UNREADABLE');
        return [reading('cpu.x', turn)];
      }),
      10_000,
    ]);
    await clock.advance(25_000);
    await end();
    const before = statusOf('cpu');
    expect(before).toMatchObject({ collected: 2, failed: 1 });

    process.store.close();
    restart('cpu');
    await run([new ScriptedCollector('cpu'), 10_000]);
    expect(statusOf('cpu')).toMatchObject({ collected: 3, failed: 1, interval_ms: 10_000 });
    const durations = JSON.parse(String(statusOf('cpu')['durations'])) as { counts: number[] };
    expect(durations.counts.reduce((sum, count) => sum + count)).toBe(4);
  });

  test('scheduler: the status of a collector that does not run any more is deleted', async () => {
    await run([new ScriptedCollector('cpu'), 10_000], [new ScriptedCollector('disk'), 10_000]);
    await end();
    process.store.close();
    restart('disk');
    await run([new ScriptedCollector('disk'), 10_000]);
    expect(database.prepare('SELECT collector FROM collector_status').pluck().all()).toEqual(['disk']);
  });

  test('scheduler: the status of a collector has the durations of its scrapes', async () => {
    await run([
      new ScriptedCollector('cpu', async () => {
        await clock.sleep(50);
        return [];
      }),
      10_000,
    ]);
    await clock.advance(1_000);
    expect(statusOf('cpu')).toMatchObject({ duration_ms: 50, durations: '{"counts":[0,0,0,1,0,0],"sum":0.05}' });
  });
});

describe('scheduler: the log', () => {
  test('scheduler: logs a summary once a minute at info, and each scrape at debug', async () => {
    await run([new ScriptedCollector('cpu'), 10_000]);
    await clock.advance(125_000);
    const info = process.log.lines.filter(({ level }) => level === 'info');
    expect(info.map(({ fields }) => fields['count'])).toEqual([6, 6]);
    expect(process.log.said('debug')).toHaveLength(13);
  });
});

describe('scheduler: a source of foreign samples', () => {
  const foreign = (name: string, value: number): Reading => ({
    series: declareForeignSeries(name, 'gauge'),
    labels: {},
    value,
  });

  test('scheduler: foreign samples that are NaN are counted and logged once, and are no failure', async () => {
    await run([
      new ScriptedCollector('textfile', () => [
        foreign('quantile', NaN),
        foreign('rate', NaN),
        foreign('limit', Infinity),
      ]),
      10_000,
    ]);
    await clock.advance(20_000);
    expect(statusOf('textfile')).toMatchObject({ status: 'ok', collected: 3, failed: 6 });
    expect(
      process.log.lines.filter(({ level }) => level === 'warn').map(({ message, fields }) => [message, fields]),
    ).toEqual([
      ['non-finite samples dropped', { collector: 'textfile', reason: 'quantile: value NaN is not finite and 1 more' }],
    ]);
  });

  test('scheduler: a source is failing if a foreign sample has a name of the agent, whichever was stored first', async () => {
    await run([new ScriptedCollector('textfile', () => [foreign('memory_used_bytes', 5), foreign('ok', 1)]), 10_000]);
    await clock.advance(5_000);
    await end();
    await run([new ScriptedCollector('memory', () => [reading('memory.used_bytes', 7)]), 10_000]);
    expect(statusOf('textfile')).toMatchObject({
      status: 'failing',
      collected: 1,
      failed: 1,
      message: "memory_used_bytes: memory_used_bytes is a name of the agent's own series",
    });
    expect(statusOf('memory')).toMatchObject({ status: 'ok', collected: 1, failed: 0 });
    expect(view(database, 'metric_name, metric_value')).toEqual([
      ['ok', 1],
      ['memory.used_bytes', 7],
    ]);
  });
});

describe('scheduler: readings that are left out', () => {
  test('scheduler: series beyond the limit are counted, make the collector failing and are logged once', async () => {
    const many = new ScriptedCollector('many', () =>
      [1, 2, 3, 4].map((one) => reading('many.x', 1, { one: String(one) })),
    );
    await run([many, 10_000]);
    await clock.advance(20_000);
    expect(statusOf('many')).toMatchObject({
      status: 'failing',
      message:
        'many.x: 3 series of this collector are stored already, increase THUGSHELLS_COLLECTOR_MAX_SERIES to store more',
      collected: 12,
      failed: 3,
    });
    expect(process.log.said('warn')).toEqual(['warn: too many series', 'warn: collector failing']);
    expect(
      view(database, "json_extract(tags, '$.one'), metric_name, metric_value").filter((row) =>
        String(row).includes('dropped'),
      ),
    ).toHaveLength(3);
  });

  test('scheduler: samples that a collector leaves out are counted, and each kind is logged once', async () => {
    const page = new ScriptedCollector('page', (turn) => {
      page.leftOut = turn === 3 ? [] : [{ event: 'repeated samples dropped', count: 2, reason: `scrape ${turn}` }];
      if (turn === 1) page.leftOut = [...page.leftOut, { event: 'other samples dropped', count: 1, reason: 'x\ny' }];
      return [reading('page.x', 1)];
    });
    await run([page, 10_000]);
    await clock.advance(30_000);
    expect(statusOf('page')).toMatchObject({ status: 'ok', message: '', collected: 4, failed: 7 });
    expect(process.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'repeated samples dropped', fields: { collector: 'page', reason: 'scrape 0' } },
      { message: 'other samples dropped', fields: { collector: 'page', reason: 'x y' } },
    ]);
  });

  test('scheduler: logs once that a collector limits its own output', async () => {
    const network = new ScriptedCollector('network', (turn) => {
      if (turn >= 1) network.notice = `eth${turn} not reported`;
      return [];
    });
    await run([network, 10_000]);
    await clock.advance(30_000);
    expect(process.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
      { collector: 'network', reason: 'eth1 not reported' },
    ]);
    expect(statusOf('network')).toMatchObject({ status: 'ok' });
  });
});

test('scheduler: logs once for each file that its value is no reading, while the collector is well', async () => {
  const leftOutOf = (subject: string, reason: string) => ({ event: 'value left out', subject, count: 0, reason });
  const temperature = new ScriptedCollector('temperature', (turn) => {
    const first = leftOutOf('temp1_input', `${6280000 + turn} is above 2000 °C`);
    const second = leftOutOf('temp2_input', '-273150 is not above absolute zero');
    temperature.leftOut = turn === 0 ? [first] : [first, second];
    return [];
  });
  await run([temperature, 10_000]);
  await clock.advance(30_000);
  expect(process.log.lines.filter(({ level }) => level === 'warn').map(({ fields }) => fields)).toEqual([
    { collector: 'temperature', reason: '6280000 is above 2000 °C' },
    { collector: 'temperature', reason: '-273150 is not above absolute zero' },
  ]);
  expect(statusOf('temperature')).toMatchObject({ status: 'ok', failed: 0 });
});

test('scheduler: logs each event of a collector, with its fields, also the same one again', async () => {
  const filesystem = new ScriptedCollector('filesystem', (turn) => {
    filesystem.events = turn === 2 ? [] : [{ message: 'file system became read-only', fields: { mountpoint: '/' } }];
    return [];
  });
  await run([filesystem, 60_000]);
  await clock.advance(180_000);
  expect(process.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { message: 'file system became read-only', fields: { collector: 'filesystem', mountpoint: '/' } },
    { message: 'file system became read-only', fields: { collector: 'filesystem', mountpoint: '/' } },
    { message: 'file system became read-only', fields: { collector: 'filesystem', mountpoint: '/' } },
  ]);
});

describe('scheduler: a first scrape that never ends', () => {
  const hangs = (name: string): Collector => new ScriptedCollector(name, () => new Promise(() => undefined));

  test('scheduler: its collector is in the database from the first commit on, without a scrape', async () => {
    await run([hangs('disk'), 20_000], [new ScriptedCollector('cpu'), 10_000]);
    expect(statusOf('disk')).toMatchObject({
      status: 'ok',
      since: NOW,
      interval_ms: 20_000,
      last_scrape: 0,
      failed: 0,
    });
    await clock.advance(30_000);
    expect(statusOf('disk')).toMatchObject({ since: NOW, last_scrape: 0 });
    expect(statusOf('cpu')).toMatchObject({ collected: 4, last_scrape: NOW + 30_000 });
  });

  test('scheduler: its collector keeps the row of an earlier process, and gets one where there is none', async () => {
    await run([new ScriptedCollector('disk'), 10_000]);
    await end();
    await run([hangs('disk'), 10_000], [new ScriptedCollector('cpu'), 10_000]);
    expect(statusOf('disk')).toMatchObject({ collected: 1, last_scrape: NOW });
    database.prepare("DELETE FROM collector_status WHERE collector = 'disk'").run();
    await clock.advance(10_000);
    expect(statusOf('disk')).toBeUndefined();
    await end();
    await run([hangs('disk'), 10_000], [new ScriptedCollector('cpu'), 10_000]);
    expect(statusOf('disk')).toMatchObject({ collected: 0, last_scrape: 0 });
  });

  test('scheduler: is logged once, and systemd’s status names it', async () => {
    await run([hangs('disk'), 10_000], [new ScriptedCollector('cpu'), 10_000]);
    await clock.advance(90_000);
    expect(process.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
      { message: 'scrape overdue', fields: { collector: 'disk', duration_ms: 30_000 } },
    ]);
    expect(reported.lines).toContain('collecting; overdue: disk');
  });
});

describe('scheduler: systemd', () => {
  test('scheduler: reports progress to systemd after each finished scrape, and none of one that hangs', async () => {
    await run(
      [new ScriptedCollector('cpu'), 10_000],
      [new ScriptedCollector('disk', () => new Promise(() => undefined)), 10_000],
    );
    await clock.advance(30_000);
    expect(reported.beats).toBe(4);
  });

  test('scheduler: reports its state to systemd in one line', async () => {
    const disk = new ScriptedCollector('disk', (turn) => {
      if (turn === 1) throw fault('KERNEL_FILE_MALFORMED');
      return [];
    });
    await run([disk, 10_000]);
    await clock.advance(20_000);
    expect(reported.lines).toEqual(['collecting', 'collecting; failing: disk', 'collecting']);
    await clock.advance(50_000);
    expect(reported.lines.at(-1)).toBe('collecting; 0 samples in the last minute');
  });
});

test('scheduler: an error of the database before the first scrape ends no collector, which scrapes when it is over', async () => {
  database.exec('ALTER TABLE collector_status RENAME TO elsewhere');
  const cpu = new ScriptedCollector('cpu');
  await run([cpu, 1_000]);
  await clock.advance(2_000);
  expect([cpu.askedAt.length, process.log.said('warn', 'error')]).toEqual([3, ['warn: scrape failed, will retry']]);
  expect(process.log.lines[0]?.fields).toMatchObject({
    collector: 'cpu',
    error: expect.stringContaining('no such table: collector_status'),
  });
  database.exec('ALTER TABLE elsewhere RENAME TO collector_status');
  await clock.advance(1_000);
  expect(view(database, 'metric_name, metric_value')).toEqual([['cpu.x', 3]]);
});
