import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { openDatabase, openSideFile, type Database } from '@thugshells/shared/database/open.ts';
import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import { Acknowledgements } from '../../../uploader/src/queue/acknowledgements.ts';
import { SettledRanges } from '../../../uploader/src/queue/settled-ranges.ts';
import { SeededRandom } from '../../soak/random.ts';
import { NOW, reading, scrapeAt, storeOn } from '../collector/collector-parts.ts';
import { FakeClock } from '../fake-clock.ts';
import { PAGE_BYTES } from './sample-pages.ts';

/** A stored sample, as the view `metrics` has it; the stored columns are what a page holds. */
export interface StoredSample {
  readonly id: number;
  readonly seriesId: number;
  readonly storedMs: number;
  readonly key: string;
  readonly value: number | string;
  /** 0 pending, 1 delivered, 2 rejected. */
  readonly state: number;
  /** Whether it is delivered, but not surely on the receiver's disk: whoever recovers the database has to send it again. */
  readonly isProvisional: boolean;
}

/** Pages of the file by what stands on them. */
export interface PageMap {
  /** Pages by the name of their table or index. */
  readonly byName: ReadonlyMap<string, readonly number[]>;
  /** Interior pages of the samples and of their index. */
  readonly interior: readonly number[];
  readonly count: number;
}

/** A sound database file, and all that is in it. */
export interface TrialDatabase {
  readonly name: string;
  readonly bytes: Buffer;
  readonly samples: readonly StoredSample[];
  /** Samples that were stored and are gone: delivered, and old enough. Their pages may still hold them. */
  readonly deleted: readonly StoredSample[];
  readonly pages: PageMap;
  readonly dropped: number;
  /** What the clock shows when it is opened again. */
  readonly nowMs: number;
}

/** What a collector of the made device reads: how many series, how often, and how their values look. */
const COLLECTORS: readonly { readonly every: number; readonly read: (random: SeededRandom) => Reading[] }[] = [
  {
    every: 1,
    read: (random) => range(9).map((core) => reading('cpu.usage', random.between(0, 100), { core: String(core) })),
  },
  {
    every: 1,
    read: (random) =>
      range(14).map((index) =>
        reading('net.bytes', Math.floor(random.between(0, 2 ** (8 + 3 * index))), { i: String(index) }),
      ),
  },
  { every: 1, read: (random) => [reading('cpu.temperature', Math.floor(random.between(-20, 90)))] },
  {
    every: 2,
    read: (random) => [1, 5, 15].map((minutes) => reading(`load.average_${minutes}m`, random.between(0, 4))),
  },
  {
    every: 3,
    read: (random) => [
      reading('link.state', random.oneOf(['up', 'down'])),
      reading('link.online', random.oneOf([0, 1])),
    ],
  },
];

/** Makes databases of different histories in a folder. */
export async function makeTrialDatabases(folder: string): Promise<TrialDatabase[]> {
  const made: TrialDatabase[] = [];
  for (const options of [
    { name: 'fresh', scrapes: 180, delivered: 1_500 },
    { name: 'with free pages', scrapes: 420, delivered: 4_500, retentionMs: 3_000_000 },
    { name: 'all pending', scrapes: 120, delivered: 0 },
  ])
    made.push(await makeTrialDatabase(join(folder, `${options.name.replaceAll(' ', '-')}.db`), options));
  return made;
}

/**
 * Makes a database with the collector's store and the uploader's queue: the first rows delivered in two stretches, with
 * some rejected and some not yet sure, the rest pending.
 */
async function makeTrialDatabase(
  path: string,
  { name, scrapes, delivered, retentionMs }: TrialDatabaseOptions,
): Promise<TrialDatabase> {
  const random = new SeededRandom(scrapes);
  createWithPages(path);
  const parts = storeOn(path, { clock: new FakeClock(NOW), retentionMs: retentionMs ?? 72 * 3_600_000 });
  const uploader = openDatabase(path);
  const stop = new AbortController();
  const running = parts.store.run(stop.signal);
  let early: readonly StoredSample[] = [];
  for (let scrape = 0; scrape < scrapes; scrape++) {
    for (const { every, read } of COLLECTORS) {
      await parts.clock.advance(15);
      if (scrape % every === 0) parts.store.add(scrapeAt(parts.clock, parts.store, read(random)));
    }
    parts.store.flush();
    await parts.clock.advance(9_925);
    if (scrape !== Math.floor(scrapes / 2)) continue;
    await deliver(uploader, parts.clock, delivered);
    early = readSamples(uploader);
  }
  stop.abort();
  await parts.clock.advance(2_000);
  await running;
  uploader.close();
  parts.store.close();
  return describe(path, { name, nowMs: parts.clock.now(), early });
}

/** Creates an empty database; the store keeps the size of its pages. */
function createWithPages(path: string): void {
  const database = openSideFile(path);
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.pragma('journal_mode = WAL');
  database.close();
}

interface TrialDatabaseOptions {
  readonly name: string;
  readonly scrapes: number;
  /** Rows that were delivered half way; with a short retention their pages are free by now. */
  readonly delivered: number;
  readonly retentionMs?: number;
}

/** Settles the first rows as the uploader does: most are delivered, one in 40 of a stretch is rejected, the last are provisional. */
async function deliver(database: Database, clock: FakeClock, count: number): Promise<void> {
  if (count === 0) return;
  const acknowledgements = new Acknowledgements(database, new SettledRanges(database), {
    clock,
    replayWindowMs: 15_000,
  });
  const gap = Math.floor(count / 8);
  accept(acknowledgements, 1, [1, 4 * gap], [5 * gap, 7 * gap]);
  acknowledgements.reject(
    Array.from({ length: 12 }, (_, index) => ({ id: 7 * gap + 1 + 3 * index, status: 400, reason: 'made up' })),
  );
  acknowledgements.commit();
  await clock.advance(20_000);
  accept(acknowledgements, 1);
  accept(acknowledgements, 2, [7 * gap + 60, count]);
  acknowledgements.commit();
}

/** A response over a connection: it accepts these rows, and confirms what the connection carried before. */
function accept(acknowledgements: Acknowledgements, connection: number, ...accepted: readonly IdRange[]): void {
  const responses = accepted.map(([first, last], chunkIndex) => ({
    accepted: {
      batchId: `batch of connection ${connection}`,
      chunkIndex,
      ranges: [[first, last] as const],
      count: last - first + 1,
    },
  }));
  for (const response of responses.length > 0 ? responses : [{}])
    acknowledgements.recordResponse({ connection, isClosing: false, ...response });
}

function describe(
  path: string,
  { name, nowMs, early }: Pick<TrialDatabase, 'name' | 'nowMs'> & { readonly early: readonly StoredSample[] },
): TrialDatabase {
  const database = openDatabase(path, { readonly: true });
  try {
    const pages = database
      .prepare<[], { page: number; name: string; type: string }>(
        'SELECT pageno AS page, name, pagetype AS type FROM dbstat',
      )
      .all();
    const byName = new Map<string, number[]>();
    for (const page of pages) byName.set(page.name, [...(byName.get(page.name) ?? []), page.page]);
    const samples = readSamples(database);
    const stored = new Set(samples.map(({ key }) => key));
    const ofSamples = ({ name: table }: { name: string }): boolean => table.startsWith('samples');
    return {
      name,
      nowMs,
      samples,
      deleted: early.filter(({ key }) => !stored.has(key)),
      dropped: database.prepare<[], number>('SELECT dropped FROM collector_state').pluck().get()!,
      pages: {
        byName,
        interior: pages.filter((page) => ofSamples(page) && page.type === 'internal').map(({ page }) => page),
        count: database.pragma('page_count', { simple: true }) as number,
      },
      bytes: readFileSync(path),
    };
  } finally {
    database.close();
    for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  }
}

/** All samples, each with its series' name and labels and its true time as its key. */
export function readSamples(database: Database): StoredSample[] {
  const provisional = readProvisional(database);
  const samples = database
    .prepare<[], Omit<StoredSample, 'isProvisional'>>(
      `SELECT m.id, s.series_id AS seriesId, s.timestamp_ms AS storedMs,
         m.timestamp_ms || ' ' || m.metric_name || m.tags AS key, s.value, m.uploaded AS state
       FROM metrics AS m JOIN samples AS s ON s.id = m.id`,
    )
    .all();
  return samples.map((sample) => ({
    ...sample,
    isProvisional: provisional.some(([first, last]) => first <= sample.id && sample.id <= last),
  }));
}

/** None if they cannot be parsed: damage to them is not noticed by SQLite. */
function readProvisional(database: Database): IdRange[] {
  const rows = database.prepare<[], string>('SELECT ranges FROM provisional WHERE json_valid(ranges)').pluck().all();
  return rows.flatMap((ranges) => JSON.parse(ranges) as IdRange[]);
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index);
}
