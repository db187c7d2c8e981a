import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { linkSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { beforeEach, describe, expect, test } from '@jest/globals';
import { takeInstanceLock } from '@thugshells/shared/database/instance-lock.ts';

import { TextFiles } from '../../../../collector/src/inputs/text-files.ts';
import { TextfileCollector } from '../../../../collector/src/inputs/textfile.ts';
import { findHeldLocks } from '../../../support/held-locks.ts';
import { migratedDatabase } from '../../../support/collector/collector-parts.ts';
import { createConverter } from '../../../support/collector/made-target.ts';
import { collectOnce, formatReadings } from '../../../support/collector/collect-once.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
const FILES = ['metrics.db', 'metrics.db-shm', 'metrics.db.collector-lock'] as const;
let directory: string;

beforeEach(() => {
  directory = folder.path('textfiles');
  mkdirSync(directory);
  mkdirSync(folder.path('state'));
  folder.keep(migratedDatabase(state('metrics.db')));
  const lock = takeInstanceLock(state('metrics.db'), 'collector');
  folder.keep({ close: () => lock.release() });
});

const state = (name: string): string => folder.path(`state/${name}`);
const findAllLocks = (): string[][] => FILES.map((name) => findHeldLocks(state(name)));

function createCollector(): TextfileCollector {
  const converter = createConverter();
  return new TextfileCollector({ files: new TextFiles(directory), converter, maxReadings: 2_000 });
}

describe('text files: locks of SQLite stand', () => {
  const links: [string, (from: string, to: string) => void][] = [
    ['hard link', linkSync],
    ['symbolic link', symlinkSync],
  ];

  test.each(links)('when a %s names a file of the database, which is refused', async (_kind, link) => {
    const before = findAllLocks();
    expect(before.every((locks) => locks.length > 0)).toBe(true);
    for (const name of [...FILES, 'metrics.db-wal']) link(state(name), join(directory, `${name}.prom`));
    writeFileSync(join(directory, 'a.prom'), 'fine 1\n');
    const { readings, failure, hint } = await collectOnce(createCollector());
    expect(findAllLocks()).toEqual(before);
    expect(formatReadings(readings, /^textfile\./)).toEqual(['fine 1']);
    expect(failure).toContain(`cannot read ${directory}/metrics.db.prom: it is a file of the database ${state('')}`);
    expect(hint).toMatch(/^remove it/);
  });

  test('when the name becomes a link to them between any two calls', async () => {
    const fine = join(directory, 'fine');
    const name = join(directory, 'a.prom');
    writeFileSync(fine, 'fine 1\n');
    linkSync(fine, name);
    const before = findAllLocks();
    const swapper = spawn(process.execPath, [
      join(import.meta.dirname, '../../../support/swap-link.mjs'),
      name,
      ...FILES.flatMap((each) => [fine, state(each)]),
    ]);
    await once(swapper.stdout, 'data');
    let read = 0;
    let refused = 0;
    const collector = createCollector();
    for (let turn = 0; turn < 3_000; turn++) {
      const { readings, failure } = await collectOnce(collector);
      if (formatReadings(readings, /^textfile\./).includes('fine 1')) read += 1;
      if (failure.includes('it is a file of the database')) refused += 1;
    }
    const ended = once(swapper, 'exit');
    swapper.kill('SIGKILL');
    await ended;
    expect(findAllLocks()).toEqual(before);
    expect([read > 100, refused > 100]).toEqual([true, true]);
  });

  test('when the database that is in use has been moved away', async () => {
    const before = findAllLocks();
    expect((await collectOnce(createCollector())).failure).toBe('');
    writeFileSync(join(directory, 'a.prom'), 'fine 1\n');
    expect((await collectOnce(createCollector())).failure).toBe('');
    mkdirSync(folder.path('elsewhere'));
    for (const name of FILES) {
      linkSync(state(name), folder.path(`elsewhere/${name}`));
      linkSync(state(name), join(directory, `${name}.prom`));
      rmSync(state(name));
    }
    const { failure } = await collectOnce(createCollector());
    expect(FILES.map((name) => findHeldLocks(folder.path(`elsewhere/${name}`)))).toEqual(before);
    expect(failure.match(/it is a file of the database/g)).toHaveLength(3);
  });

  test('while a file that is no database’s may lie in the same folder', async () => {
    writeFileSync(state('metrics.prom'), 'fine 1\n');
    symlinkSync(state('metrics.prom'), join(directory, 'a.prom'));
    const { readings, failure } = await collectOnce(createCollector());
    expect([failure, ...formatReadings(readings, /^textfile\./)]).toEqual(['', 'fine 1']);
    expect(readFileSync(state('metrics.prom'), 'utf8')).toBe('fine 1\n');
  });
});
