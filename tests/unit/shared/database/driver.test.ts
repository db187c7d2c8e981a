import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { DRIVERS, driver, driverFor } from '../../../../shared/src/database/driver.js';
import { useTemporaryFolder } from '../temporary-folder.js';

const folder = useTemporaryFolder();
const dist = fileURLToPath(new URL('../../../../shared/dist', import.meta.url));

test.each([
  ['20.19.0', 'better-sqlite3'],
  ['22.23.3', 'better-sqlite3'],
  ['24.0.0', 'better-sqlite3-node-api'],
  ['26.10.0', 'better-sqlite3-node-api'],
])('Node.js %s loads %s', (version, expected) => {
  expect(driverFor(version)).toBe(expected);
});

test('the one for this Node.js frees statements that V8 collects between two turns of the event loop', () => {
  const script = `
    import { driver } from ${JSON.stringify(join(dist, 'database/driver.js'))};
    const database = new (driver())(':memory:');
    // A heap that grows a little in each turn is marked in steps, and the last of them is a task of its own.
    let kept = [];
    let turns = 0;
    const timer = setInterval(() => {
      for (let count = 0; count < 20; count++) database.prepare('SELECT 1').get();
      kept.push(Array.from({ length: 20_000 }, (_, index) => ({ index })));
      if (kept.length > 60) kept = [];
      if (++turns < 150) return;
      clearInterval(timer);
      console.log('alive');
    }, 10);
  `;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  expect({ stdout, stderr }).toEqual({ stdout: 'alive\n', stderr: '' });
});

test('this one opens a database', () => {
  expect(new (driver())(':memory:').prepare('SELECT 1 AS one').get()).toEqual({ one: 1 });
});

describe('a driver that cannot be loaded is told with what to do', () => {
  /** Opens a database by the built program, copied to where node finds no packages but those in `folder`. */
  function complaint(): unknown {
    cpSync(dist, folder.path('program/dist'), { recursive: true });
    writeFileSync(folder.path('program/package.json'), '{ "type": "module" }');
    const script = `
      import { openDatabase } from ${JSON.stringify(folder.path('program/dist/database/open.js'))};
      try {
        openDatabase(${JSON.stringify(folder.path('a.db'))}, { create: true });
      } catch ({ code, message, hint }) {
        console.log(JSON.stringify({ code, message, hint }));
      }
    `;
    const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
    if (stdout === '') throw new Error(stderr);
    return JSON.parse(stdout);
  }

  const hint = expect.stringContaining('run npm ci with the one that runs this program');

  test('as one that is missing', () => {
    const message = `cannot load the database driver: Cannot find module '${driverFor(process.versions.node)}'`;
    expect(complaint()).toEqual({ code: 'DATABASE_UNUSABLE', message, hint });
  });

  test('as one whose machine code is of another kind', () => {
    for (const name of DRIVERS) {
      const module = folder.path(join('node_modules', name));
      mkdirSync(module, { recursive: true });
      writeFileSync(join(module, 'part.node'), 'no machine code');
      writeFileSync(join(module, 'index.js'), `module.exports = class { constructor() { require('./part.node'); } };`);
    }
    expect(complaint()).toEqual({ code: 'DATABASE_UNUSABLE', message: expect.stringMatching(/^cannot load the database driver: .*part\.node/), hint });
  });
});
