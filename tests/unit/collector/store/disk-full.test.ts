import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';

import { openDatabase, PAGE_SIZE, type Database } from '@thugshells/shared/database/open.ts';

import { divideSpace } from '../../../../collector/src/store/space/limits.ts';
import { Acknowledgements } from '../../../../uploader/src/queue/acknowledgements.ts';
import { Backlog } from '../../../../uploader/src/queue/backlog.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import {
  mayMount,
  mountNamespace,
  mountSmall,
  NAMESPACE_HINT,
  type SmallFileSystem,
} from '../../../support/small-file-system.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { NOW, reading, scrapeAt, storeOn } from '../../../support/collector/collector-parts.ts';
import { booksOf, scrapes, SERIES } from '../../../support/collector/prepared-store.ts';

const MIB = 1024 ** 2;
const folder = useTemporaryFolder();

/** A disk that is full until it is freed. */
interface Disk {
  readonly path: string;
  readonly options: Parameters<typeof storeOn>[1];
  fill(reader: Database): void;
  free(reader: Database): void;
  remove(): void;
}

function mountedDisk(): Disk {
  const mounted: SmallFileSystem = mountSmall(folder.path('disk'), 8 * MIB);
  return {
    path: join(mounted.folder, 'metrics.db'),
    options: {},
    fill: () => mounted.fill(0),
    free: () => mounted.empty(),
    remove: () => mounted.remove(),
  };
}

/** Limits the pages of the database; a table takes the free space until it is dropped. */
function limitedDisk(): Disk {
  const databaseBytes = 4 * MIB;
  const limits = { ...divideSpace({ dbMaxBytes: 64 * MIB, walCheckpointBytes: 64 * MIB }), databaseBytes };
  return {
    path: folder.path('metrics.db'),
    options: { limits },
    fill: (reader) => {
      const pages = reader.pragma('page_count', { simple: true }) as number;
      reader.exec('CREATE TABLE filler (bytes)');
      reader.prepare('INSERT INTO filler VALUES (zeroblob(?))').run(databaseBytes - (pages + 32) * PAGE_SIZE);
    },
    free: (reader) => void reader.exec('DROP TABLE filler'),
    remove: () => undefined,
  };
}

let disk: Disk;
let parts: ReturnType<typeof storeOn>;
let reader: Database;
let stop: AbortController;

function useDisk(create: () => Disk): void {
  const created = create();
  disk = created;
  folder.keep({ close: () => created.remove() });
  parts = storeOn(disk.path, { ...disk.options, clock: new FakeClock(NOW) });
  folder.keep(parts.store);
  reader = folder.keep(openDatabase(disk.path));
  stop = new AbortController();
  void parts.store.run(stop.signal);
  folder.keep({ close: () => stop.abort() });
}

function countBuffered(): number {
  return reader.prepare<[], number>('SELECT waiting FROM storage_state').pluck().get()!;
}

function storedTimes(): unknown[] {
  return reader.prepare('SELECT DISTINCT timestamp_ms FROM metrics ORDER BY timestamp_ms').pluck().all();
}

/** Scrapes until a scrape is buffered in memory. */
async function scrapeUntilFull(): Promise<number> {
  for (let scrape = 1; scrape < 2_000; scrape++) {
    await scrapes(parts, 1);
    if (parts.log.said('error').includes('error: cannot store samples, buffering')) return scrape;
  }
  throw new Error('the disk never was full');
}

const MOUNTED = 'on a small file system';
const isMountable = mayMount();
const disks: [where: string, create: () => Disk][] = [['under a limit on pages', limitedDisk]];
if (isMountable) disks.push([MOUNTED, mountedDisk]);

describe.each(disks)('disk full %s', (_where, create) => {
  beforeEach(() => useDisk(create));

  describe('the collector', () => {
    test('disk full: buffers samples in memory, logs it once with a hint, and stores all with their own times when there is space', async () => {
      await scrapes(parts, 20);
      disk.fill(reader);
      const until = 20 + (await scrapeUntilFull());
      await scrapes(parts, 30);
      const errors = parts.log.lines.filter(({ level }) => level === 'error');
      expect(errors.map(({ message }) => message)).toEqual(['cannot store samples, buffering']);
      expect(parts.store.failure).toBeDefined();
      expect(errors[0]?.fields).toMatchObject({ error_code: 'SQLITE_FULL' });
      expect(errors[0]?.fields['hint']).toContain('free space on the disk');
      expect(booksOf(reader).collected).toBeLessThan((until + 30) * SERIES);
      disk.free(reader);
      await parts.clock.advance(6_000);
      await scrapes(parts, 1);
      expect(booksOf(reader)).toMatchObject({ collected: (until + 31) * SERIES, dropped: 0, balanced: 1 });
      expect(parts.log.said('warn')).toContain('warn: store recovered');
      expect(countBuffered()).toBe(0);
      expect(storedTimes().at(-1)).toBe(parts.clock.now());
    });

    test('disk full: when the buffer is full too, the oldest scrapes are dropped and booked as lost in memory', async () => {
      disk.fill(reader);
      await scrapeUntilFull();
      for (let scrape = 0; scrape < 110; scrape++) {
        await parts.clock.advance(10_000);
        const readings = Array.from({ length: 350 }, (_, index) => reading('b.x', scrape, { i: String(index) }));
        parts.store.add(scrapeAt(parts.clock, parts.store, readings));
        parts.store.flush();
      }
      disk.free(reader);
      await parts.clock.advance(8_000);
      const books = booksOf(reader);
      expect(books.balanced).toBe(1);
      expect(books.dropped).toBeGreaterThan(5_000);
      const [loss, ...more] = reader
        .prepare<[], { reason: string; count: number; first_ms: number; last_ms: number }>('SELECT * FROM losses')
        .all();
      expect(more).toEqual([]);
      expect(loss).toMatchObject({ reason: 'memory', count: books.dropped });
      // What was lost lies between what was stored before and what was kept.
      expect(storedTimes().filter((time) => Number(time) >= loss!.first_ms && Number(time) <= loss!.last_ms)).toEqual(
        [],
      );
      expect(books.pending + books.delivered).toBe(books.collected - books.dropped);
    });
  });

  test('disk full: an acknowledgement that cannot be written stays in memory, is not sent again, and is written when there is space', async () => {
    await scrapes(parts, 20);
    const settled = new SettledRanges(reader);
    const backlog = new Backlog(reader, settled);
    const acknowledgements = new Acknowledgements(reader, settled, { clock: parts.clock, replayWindowMs: 0 });
    acknowledgements.recordResponse({
      connection: 1,
      isClosing: false,
      accepted: { batchId: 'b', chunkIndex: 0, ranges: [[1, 120]], count: 120 },
    });
    reader.exec(
      `CREATE TEMP TRIGGER full BEFORE INSERT ON settled BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`,
    );
    expect(() => acknowledgements.commit()).toThrow('full');
    expect(backlog.findSendable(acknowledgements.listUncommitted())).toEqual([[121, 20 * SERIES]]);
    reader.exec('DROP TRIGGER full');
    acknowledgements.commit();
    expect(booksOf(reader)).toMatchObject({ delivered: 120, pending: 20 * SERIES - 120, balanced: 1 });
  });

  test('disk full: the ballast exists while there is space, and is released when there is none', async () => {
    await scrapes(parts, 5);
    expect(existsSync(`${disk.path}.ballast`)).toBe(true);
    disk.fill(reader);
    await scrapeUntilFull();
    expect(existsSync(`${disk.path}.ballast`)).toBe(false);
    disk.free(reader);
    await parts.clock.advance(8_000);
    expect(existsSync(`${disk.path}.ballast`)).toBe(true);
  });
});

if (!isMountable) {
  test(`disk full: the tests ${MOUNTED} pass in a mount namespace if this process may not mount`, () => {
    const jest = [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      'node_modules/jest/bin/jest.js',
    ];
    const root = join(import.meta.dirname, '../../../..');
    // A cache of its own: the usual one is of the user root, whom this process only seems to be there.
    const options = [
      '-i',
      '--reporters=default',
      `--cacheDirectory=${join(root, 'var', 'jest-namespace')}`,
      '-t',
      MOUNTED,
    ];
    const [command = '', ...args] = [
      ...mountNamespace(),
      process.execPath,
      ...jest,
      ...options,
      '--runTestsByPath',
      import.meta.filename,
    ];
    // Likewise swc's, which holds its machine code; and it takes the owner of / for a stranger there.
    const swc = {
      SWC_NATIVE_BINDING_CACHE: join(root, 'var', 'swc-namespace'),
      SWC_NATIVE_BINDING_CACHE_SKIP_SECURITY_CHECK: '1',
    };
    const { status, stdout, stderr } = spawnSync(command, args, {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, ...swc },
    });
    const output = `${stdout}${stderr}`;
    if (status !== 0) throw new Error(`${output}\nIf this is not allowed: ${NAMESPACE_HINT}`);
    expect(output).toMatch(/^Tests: .* [1-9]\d* passed/m);
  }, 120_000);
}
