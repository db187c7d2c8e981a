import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { mountNamespace, NAMESPACE_HINT, unmountLeftover } from '../support/small-file-system.ts';

/**
 * What every npm script begins with, in a project of its own: the real deploy/scripts/with-runtime.mjs and runtime.mjs, a
 * lockfile that names the runtime alone, and an npm that does what the test wants. Below var/, since the folder for
 * temporary files may be mounted noexec.
 */

const root = join(import.meta.dirname, '../..');
const PACKAGE = `node-linux-${process.arch}`;
let clone: string;

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly version: string }>>;
}

const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as Lockfile;
const pinned = Object.fromEntries(
  Object.entries(lockfile.packages).filter(([path]) => path.startsWith('node_modules/node-linux-')),
);

beforeEach(() => {
  mkdirSync(join(root, 'var'), { recursive: true });
  clone = mkdtempSync(join(root, 'var', 'setup-'));
  for (const file of ['deploy/scripts/with-runtime.mjs', 'deploy/scripts/runtime.mjs', 'package.json'])
    cpSync(join(root, file), join(clone, file));
  writeFileSync(join(clone, 'package-lock.json'), JSON.stringify({ packages: pinned }));
  writeFileSync(join(clone, 'script.mjs'), 'console.log(`on ${process.argv0}`);');
  npm(`console.error('npm error code ETEST'); console.error('npm error the registry is away'); process.exit(1);`);
});

afterEach(() => {
  unmountLeftover(clone);
  rmSync(clone, { recursive: true });
});

/** Puts an npm of the test's in the place of npm's own script, which is run by the Node.js that began. */
function npm(script: string): void {
  writeFileSync(join(clone, 'npm.cjs'), script);
}

/** A node_modules as npm leaves it, whose runtime is a script that stands for the pinned one. */
function installed({
  runtime = '#!/bin/sh\n[ "$1" = --version ] || echo "the pinned runtime"\n',
  mode = 0o755,
} = {}): string {
  const folder = join(clone, 'node_modules', PACKAGE);
  mkdirSync(join(folder, 'bin'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), '{}');
  writeFileSync(join(folder, 'bin/node'), runtime);
  chmodSync(join(folder, 'bin/node'), mode);
  writeFileSync(join(clone, 'node_modules/.package-lock.json'), JSON.stringify({ packages: pinned }));
  return join(folder, 'bin/node');
}

interface Beginning {
  /** The Node.js that begins, as it reports itself; 20 by default. */
  readonly version?: string;
  readonly platform?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly launcher?: readonly string[];
}

function begin({ version = '20.20.2', platform = process.platform, env = {}, launcher = [] }: Beginning = {}) {
  const fake = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}});Object.defineProperty(process,'platform',{value:'${platform}'})`;
  const [command = '', ...args] = [
    ...launcher,
    process.execPath,
    '--import',
    `data:text/javascript,${encodeURIComponent(fake)}`,
    join(clone, 'deploy/scripts/with-runtime.mjs'),
    'script.mjs',
  ];
  const { status, stdout, stderr } = spawnSync(command, args, {
    encoding: 'utf8',
    env: { ...process.env, npm_execpath: join(clone, 'npm.cjs'), ...env },
  });
  return { status, stdout: stdout.trim(), stderr: stderr.trim().split('\n') };
}

const NPM_FAILED = [
  'installing packages …',
  'cannot install the packages: npm ci failed: the registry is away; check the network and that npm reaches its registry (npm ping), then try again',
];

test('npm scripts: go on under the pinned runtime, and say which it is', () => {
  const runtime = installed();
  expect(begin()).toEqual({
    status: 0,
    stdout: 'the pinned runtime',
    stderr: [`running on ${runtime}; this is Node.js 20.20.2`],
  });
});

test('npm scripts: stay on a Node.js of the pinned version', () => {
  installed();
  const version = pinned[`node_modules/${PACKAGE}`]!.version;
  const { status, stdout } = begin({ version });
  expect(stdout).toMatch(/^on /);
  expect(status).toBe(0);
});

describe('npm scripts: install again after', () => {
  const cases: [what: string, prepare: () => void][] = [
    ['a clone', () => undefined],
    [
      'an install that was interrupted before npm wrote its record',
      () => (installed(), rmSync(join(clone, 'node_modules/.package-lock.json'))),
    ],
    [
      'an install for another platform',
      () => (installed(), writeFileSync(join(clone, 'node_modules/.package-lock.json'), '{"packages":{}}')),
    ],
    ['the loss of the runtime', () => rmSync(installed())],
    ['the loss of the permission to run the runtime', () => installed({ mode: 0o644 })],
  ];

  test.each(cases)('%s, and say in one line why that failed', (_what, prepare) => {
    prepare();
    expect(begin()).toEqual({ status: 1, stdout: '', stderr: NPM_FAILED });
  });

  test('a clone, by npm ci and without scripts of packages, so that nothing is compiled', () => {
    npm(`require('node:fs').writeFileSync('arguments', process.argv.slice(2).join(' '))`);
    begin();
    expect(readFileSync(join(clone, 'arguments'), 'utf8')).toMatch(/^ci --ignore-scripts /);
    expect(readFileSync(join(root, '.npmrc'), 'utf8')).toMatch(/^ignore-scripts=true$/m);
  });

  test('a clone where npm is missing, and say so', () => {
    const { status, stderr } = begin({ env: { PATH: '', npm_execpath: undefined } });
    expect(status).toBe(1);
    expect(stderr[1]).toMatch(/^cannot install the packages: npm was not found; install npm/);
  });

  test('a clone where npm is told to leave packages out, and say so', () => {
    npm('');
    const { status, stderr } = begin();
    expect(status).toBe(1);
    expect(stderr[1]).toMatch(/^cannot install the packages: npm ci left some out; take omit=/);
  });
});

describe('npm scripts: end with one line on', () => {
  test('a Node.js before 20', () => {
    const { status, stderr } = begin({ version: '18.20.8' });
    expect(status).toBe(1);
    expect(stderr).toEqual([
      expect.stringMatching(
        /^cannot begin: Node\.js 20 or later is needed, and this is 18\.20\.8; install Node\.js 24\./,
      ),
    ]);
  });

  test('an own Node.js before 24 where npm has no runtime to bring', () => {
    installed();
    const { status, stderr } = begin({ version: '22.1.0', platform: 'darwin' });
    expect(status).toBe(1);
    expect(stderr).toEqual([
      expect.stringMatching(
        /^cannot begin: on darwin \w+ Node\.js 24 or later is needed, and this is 22\.1\.0; install Node\.js 24\./,
      ),
    ]);
  });

  test('a runtime that ends with an error', () => {
    const runtime = installed({ runtime: '#!/bin/sh\necho "GLIBC_2.28 not found" >&2; exit 1\n' });
    const { status, stderr } = begin();
    expect(status).toBe(1);
    expect(stderr).toEqual([
      `cannot run ${runtime}: GLIBC_2.28 not found; remove node_modules and try again, or use a Node.js 24 of your own`,
    ]);
  });

  test.each(['before', 'after'])('a file system that is mounted noexec, %s packages are installed', (when) => {
    if (when === 'after') installed();
    const mount = 'mount --bind "$0" "$0" && mount -o remount,bind,noexec "$0" && exec "$@"';
    const { status, stderr } = begin({ launcher: [...mountNamespace(), 'sh', '-c', mount, clone] });
    expect(`${stderr.join('\n')} (${NAMESPACE_HINT})`).toContain(
      `cannot run programs below ${clone}/: permission denied; the file system may be mounted noexec: clone to another one`,
    );
    expect([status, stderr.length]).toEqual([1, 1]);
  });
});

test('npm scripts: run on an own Node.js 24 where npm has no runtime to bring', () => {
  installed();
  const { status, stdout } = begin({ version: '24.0.0', platform: 'darwin' });
  expect(stdout).toMatch(/^on /);
  expect(status).toBe(0);
});

describe.each(['collector', 'uploader'])('%s run by hand', (program) => {
  const main = join(root, program, 'dist/main.js');

  test.each(['18.20.8', '20.20.2', '22.1.0'])('on Node.js %s: says so in one line, exits with 1', (version) => {
    const fake = `Object.defineProperty(process,'versions',{value:{...process.versions,node:'${version}'}})`;
    const { status, stderr } = spawnSync(
      process.execPath,
      ['--import', `data:text/javascript,${encodeURIComponent(fake)}`, main],
      { encoding: 'utf8' },
    );
    expect(stderr).toBe(
      `cannot start: Node.js 24 or later is needed, and this is ${version}; run this with node_modules/.bin/node\n`,
    );
    expect(status).toBe(1);
  });

  test('imports nothing before it has checked the version: an older one would end at what it lacks', () => {
    expect(existsSync(main)).toBe(true);
    expect(readFileSync(main, 'utf8')).not.toMatch(/^(import|export)\b(?!\()/m);
  });
});
