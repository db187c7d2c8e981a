/**
 * The package that an upgrade begins with: built from the last commit that carried Node.js 20 and compiled its native
 * parts. This is the one place with a compiler. It lives in a Debian tree below var/ that is removed when the package is
 * built, so that no machine needs one. The package is kept in var/older, so that only the first run takes minutes.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { downloadPackage } from '../../deploy/scripts/npm-packages.ts';
import { root } from '../../deploy/scripts/prepare.mjs';
import { makeDebianTree } from './debian-tree.mjs';

const COMMIT = '504c7aca3538e802d6026f15295ba0f98bf61f34';
/** Lower than any version that has been released. */
const VERSION = '0.0.9';
/** The last Node.js 20 and its npm; node-gyp is part of npm. */
const NODE_VERSION = '20.20.2';
const ARCHITECTURES = {
  x64: {
    debian: 'amd64',
    integrity: 'sha512-PeHQM8wAdmHtZA1mBocygZxs5LiUWtsJezQTkBd0iY987KpGrD1O2tVEydvMZiuXceRanxt7rjTnDEBwOPujoQ==',
  },
  arm64: {
    debian: 'arm64',
    integrity: 'sha512-LCXJnNTFiyGuYBw2gZSI5OBFMbkjAPt8sqD/NKrWoE2QmDgSubTqFng6GaNJ9EJ8HpxBMGcWWpbbcs4Vo+CnGg==',
  },
};
const NPM = {
  version: '10.9.9',
  integrity: 'sha512-1g+6jLQvaIuB4zwvHL7yrXuXcWZwDsCtBX8bbWDqbvJSSr9nPiDDWTHNgwXR27iIcTTW7v3A57hDW9RYv2W4Yg==',
};
/** What node-gyp compiles with, and what the commit's package script calls. */
const BUILD_PACKAGES = ['g++', 'make', 'python3', 'ca-certificates', 'dpkg-dev', 'binutils'];

/**
 * Returns the package of commit 504c7ac for this machine's architecture; builds it if it is not in var/older.
 *
 * @throws Error if this clone lacks the commit, or the package cannot be built
 */
export function olderPackage() {
  const { debian, integrity } = ARCHITECTURES[process.arch];
  const folder = join(root, 'var', 'older');
  const file = join(folder, `thugshells_${COMMIT.slice(0, 7)}_${debian}.deb`);
  if (existsSync(file)) return file;
  requireCommit();
  mkdirSync(folder, { recursive: true });
  // Of its own for each run: one that was killed has left what nobody may build on.
  const work = mkdtempSync(join(folder, 'building-'));
  try {
    const tree = join(work, 'tree');
    makeDebianTree(tree, BUILD_PACKAGES);
    putSources(tree);
    putDownload(
      `node-linux-${process.arch}`,
      { version: NODE_VERSION, integrity },
      { work, to: join(tree, 'opt/node') },
    );
    putDownload('npm', NPM, { work, to: join(tree, 'opt/npm') });
    build(tree, mountsForNpm(work));
    renameSync(join(tree, 'root/sources/var', `thugshells_${VERSION}_${debian}.deb`), file);
    return file;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

function requireCommit() {
  if (spawnSync('git', ['cat-file', '-e', `${COMMIT}^{commit}`], { cwd: root }).status === 0) return;
  throw new Error(
    `cannot build the package to upgrade from: this clone lacks commit ${COMMIT.slice(0, 7)}; run: git fetch --unshallow`,
  );
}

function putSources(tree) {
  const sources = join(tree, 'root/sources');
  mkdirSync(sources, { recursive: true });
  run('sh', ['-c', `git archive ${COMMIT} | tar -x -C "$0"`, sources]);
}

function putDownload(name, pinned, { work, to }) {
  const folder = join(work, name);
  downloadPackage(name, pinned, folder);
  cpSync(folder, to, { recursive: true });
}

/**
 * What npm needs to reach this machine's registry. It is mounted read-only for the time of the build and is not part of
 * the tree: a user's configuration may hold a token.
 */
function mountsForNpm(work) {
  const setting = (name) => run('npm', ['config', 'get', name], { cwd: '/' }).trim();
  const [cafile, userConfig] = [setting('cafile'), setting('userconfig')];
  const hasCertificates = existsSync(cafile);
  const npmrc = join(work, 'npmrc');
  writeFileSync(npmrc, `registry=${setting('registry')}\n${hasCertificates ? 'cafile=/run/npm/ca.crt\n' : ''}`);
  return [
    `--bind-ro=${npmrc}:/run/npm/npmrc`,
    ...(hasCertificates ? [`--bind-ro=${cafile}:/run/npm/ca.crt`] : []),
    ...(existsSync(userConfig) ? [`--bind-ro=${userConfig}:/run/npm/user-npmrc`] : []),
  ];
}

function build(tree, mounts) {
  const environment = {
    PATH: '/opt/node/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    // What runs npm in the commit's deploy/prepare.mjs.
    JOBS: 'max',
    npm_execpath: '/opt/npm/bin/npm-cli.js',
    npm_config_globalconfig: '/run/npm/npmrc',
    npm_config_userconfig: '/run/npm/user-npmrc',
  };
  const settings = Object.entries(environment).map(([name, value]) => `--setenv=${name}=${value}`);
  const container = [
    '--quiet',
    '-D',
    tree,
    '--register=no',
    '--keep-unit',
    '--as-pid2',
    '--chdir=/root/sources',
    ...mounts,
    ...settings,
  ];
  run('systemd-nspawn', [...container, 'node', 'deploy/package-deb.mjs', '--quick', '--version', VERSION]);
}

function run(command, args, { cwd = root } = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status === 0) return stdout;
  const printed = `${stdout ?? ''}${stderr ?? ''}`.trim().split('\n').slice(-20).join('\n');
  throw new Error(`cannot build the package of ${COMMIT.slice(0, 7)}: ${command} failed: ${error?.message ?? printed}`);
}
