import { existsSync, globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { expect, test } from '@jest/globals';

const root = fileURLToPath(new URL('../../..', import.meta.url));

test('native packages: nothing in node_modules was compiled when it was installed', () => {
  expect(globSync('node_modules/{*,@*/*}/build/{Release,Debug}/**/*.{o,node}', { cwd: root })).toEqual([]);
});

test('native packages: the lockfile has one driver of SQLite, and a prebuilt part for each platform', () => {
  const { packages } = JSON.parse(readFileSync(`${root}/package-lock.json`, 'utf8')) as {
    packages: Record<string, { version?: string; name?: string }>;
  };
  const drivers = Object.entries(packages).filter(([path, { name }]) =>
    /^(node_modules\/)?(better-sqlite3|sqlite3|unix-dgram)$/.test(name ?? path),
  );
  expect(drivers.map(([path, { version }]) => [path, version?.split('.')[0]])).toEqual([
    ['node_modules/better-sqlite3', '13'],
  ]);
  for (const platform of ['linux-x64', 'linux-arm64']) {
    expect(existsSync(`${root}/node_modules/better-sqlite3/prebuilds/${platform}.node`)).toBe(true);
    expect(packages).toHaveProperty([`node_modules/@koromix/koffi-${platform}`]);
    expect(packages).toHaveProperty([`node_modules/node-${platform}`]);
  }
});
