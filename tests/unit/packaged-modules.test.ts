import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { isOfUse, modulesAtRunTime } from '../../deploy/packaged-modules.mjs';
import { useTemporaryFolder } from './shared/temporary-folder.ts';

const folder = useTemporaryFolder();
const root = fileURLToPath(new URL('../..', import.meta.url));

/** A package with what it depends on. */
function install(path: string, dependencies: readonly string[] = [], optional: readonly string[] = []): void {
  const file = folder.path(`${path}/package.json`);
  mkdirSync(dirname(file), { recursive: true });
  const any = (names: readonly string[]): Record<string, string> => Object.fromEntries(names.map((name) => [name, '*']));
  writeFileSync(file, JSON.stringify({ dependencies: any(dependencies), optionalDependencies: any(optional) }));
}

describe('the modules of the package', () => {
  test('are what the programs need, and what that needs, each where node finds it', () => {
    install('collector', ['a', '@thugshells/shared']);
    install('node_modules/a', ['b', 'c']);
    install('node_modules/b');
    install('node_modules/c', ['b', 'a']);
    install('node_modules/c/node_modules/b');
    install('node_modules/unused');
    expect(modulesAtRunTime(folder.path(''), ['collector'])).toEqual(['node_modules/a', 'node_modules/b', 'node_modules/c', 'node_modules/c/node_modules/b']);
  });

  test('are without what only installs or declares, and without optional ones that are not there', () => {
    install('collector', ['prebuild-install', '@types/node', 'nan'], ['elsewhere']);
    expect(modulesAtRunTime(folder.path(''), ['collector'])).toEqual([]);
  });

  test('must be installed, or the missing one is named', () => {
    install('collector', ['a']);
    expect(() => modulesAtRunTime(folder.path(''), ['collector'])).toThrow('collector needs a, which is not installed');
  });

  test('of this project hold the compiled ones, and nothing that builds or tests', () => {
    const modules = modulesAtRunTime(root, ['shared', 'collector', 'uploader']);
    for (const name of ['better-sqlite3', 'unix-dgram', 'bindings', 'got', 'piscina', 'winston']) expect(modules).toContain(`node_modules/${name}`);
    for (const name of ['typescript', 'jest', 'eslint', 'prebuild-install']) expect(modules).not.toContain(`node_modules/${name}`);
  });
});

test.each([
  ['lib/index.js', false, true],
  ['src/main.js', false, true],
  ['src/better_sqlite3.cpp', true, false],
  ['deps/sqlite3/sqlite3.c', true, false],
  ['build/Release/better_sqlite3.node', true, true],
  ['build/Release/obj.target/x.o', true, false],
  [`prebuilds/${process.platform}-${process.arch}.node`, true, true],
  ['prebuilds/win32-ia32.node', true, false],
  ['build/Release/test_extension.node', true, false],
  ['LICENSE', true, true],
  ['LICENSE.md', false, true],
  ['README.md', false, false],
  ['dist/index.d.ts', false, false],
  ['.eslintrc', false, false],
  ['test/all.js', false, false],
])('%s of a package (compiled: %s) goes along: %s', (path, isCompiled, goes) => {
  expect(isOfUse(path, isCompiled)).toBe(goes);
});
