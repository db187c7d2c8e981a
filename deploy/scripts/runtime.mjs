/**
 * The Node.js that everything of this project runs on: a package of npm, pinned by the lockfile, so that any Node.js
 * from 20 on with npm can start. Imports nothing that would have to be installed, and runs on Node.js 20.
 */
import { spawnSync } from 'node:child_process';
import { accessSync, constants, existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));

const readJson = (...path) => JSON.parse(readFileSync(join(root, ...path), 'utf8'));

/** Returns npm's name of the runtime of a platform. */
export function runtimePackage(arch) {
  return `node-linux-${arch}`;
}

/** Returns the version of the runtime that the lockfile pins, the same for every architecture. */
export function pinnedVersion() {
  return readJson('package-lock.json').packages[`node_modules/${runtimePackage('x64')}`].version;
}

/** Returns the oldest major version that the programs run on. */
export function oldestMajor() {
  return Number(/\d+/.exec(readJson('package.json').engines.node)[0]);
}

/** A problem that is reported in one line, without a stack. */
export class SetupError extends Error {}

const NOEXEC = `cannot run programs below ${root}: permission denied; the file system may be mounted noexec: clone to another one, or remount it (mount -o remount,exec)`;

const isOf = (given, own) => given === undefined || [given].flat().includes(own);

/**
 * Returns whether the lockfile requires a package on this machine. npm alone decides about packages that depend on the C
 * library, and optional ones that name no platform: they belong to packages of other platforms.
 */
function isForThisMachine({ os, cpu, libc, link, optional }) {
  if (link || libc !== undefined || (optional && os === undefined && cpu === undefined)) return false;
  return isOf(os, process.platform) && isOf(cpu, process.arch);
}

const runtimeFile = () => join(root, 'node_modules', runtimePackage(process.arch), 'bin', 'node');

/** Whether the pinned runtime, if there is one for this platform, is a file with the permission to run it. */
function isRuntimeWhole() {
  const file = runtimeFile();
  return !existsSync(join(file, '../..')) || (existsSync(file) && (statSync(file).mode & 0o111) !== 0);
}

/**
 * What npm recorded that it installed, against what the lockfile wants on this platform. npm writes its record last, so
 * that there is none after an install that was interrupted.
 *
 * @param {{ omitDev?: boolean }} [what] whether what only tests and checks need may be missing
 */
export function isInstalled({ omitDev = false } = {}) {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record) || !isRuntimeWhole()) return false;
  const installed = readJson('node_modules', '.package-lock.json').packages;
  return Object.entries(readJson('package-lock.json').packages).every(
    ([path, wanted]) =>
      !path.startsWith('node_modules/') ||
      !isForThisMachine(wanted) ||
      (omitDev && wanted.dev) ||
      (installed[path]?.version === wanted.version && existsSync(join(root, path, 'package.json'))),
  );
}

/** Returns what npm reports of a failure, in a line: it prints keys, a stack and advice around it. */
function npmError({ status, error, stderr }) {
  if (error) return error.message;
  const lines = (stderr ?? '').split('\n').flatMap((line) => /^npm (?:error|ERR!) (.*\S)/.exec(line)?.[1] ?? []);
  const message = lines.find(
    (line) => !/^(?:(?:code|errno|syscall|path|dest|type|command) |\s+at |A complete log)/.test(line),
  );
  // A script of a package: which one.
  const details = message === 'command failed' ? lines.filter((line) => /^(?:path|command) /.test(line)) : [];
  return [message ?? `exit code ${status}`, ...details].join(', ');
}

/** Whether programs may be run from the project's file system: on one that is mounted noexec nothing works. */
function requireExec() {
  if (process.platform !== 'linux') return;
  const probe = join(root, `.exec-probe-${process.pid}`);
  writeFileSync(probe, '', { mode: 0o755 });
  const isAllowed = mayRun(probe);
  rmSync(probe);
  if (!isAllowed) throw new SetupError(NOEXEC);
}

/**
 * Installs what the lockfile names, unless it is there.
 *
 * @param {{ omitDev?: boolean }} [what] without what only tests and checks need it takes a third of the time
 * @throws SetupError where npm cannot
 */
export function install({ omitDev = false } = {}) {
  if (isInstalled({ omitDev })) return;
  requireExec();
  console.error('installing packages …');
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  // The Node.js that begins may be older than the engines that the packages name; they run on the pinned one.
  // Scripts of packages would only compile what they bring prebuilt (.npmrc).
  const args = [
    ...first,
    'ci',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    omitDev ? '--omit=dev' : '--include=dev',
    '--include=optional',
    '--engine-strict=false',
  ];
  const result = spawnSync(command, args, { cwd: root, stdio: ['inherit', 'inherit', 'pipe'], encoding: 'utf8' });
  if (result.status === 0) {
    if (isInstalled({ omitDev })) return;
    throw new SetupError(
      'cannot install the packages: npm ci left some out; take omit= and os= or cpu= out of npm’s configuration (npm config list), then try again',
    );
  }
  if (result.error?.code === 'ENOENT') {
    throw new SetupError(
      'cannot install the packages: npm was not found; install npm (it comes with Node.js from nodejs.org; on Debian: apt-get install npm), then try again',
    );
  }
  throw new SetupError(
    `cannot install the packages: npm ci failed: ${npmError(result)}; check the network and that npm reaches its registry (npm ping), then try again`,
  );
}

/**
 * The program that runs everything else: the pinned runtime on Linux x64 and arm64, this one elsewhere.
 *
 * @throws SetupError where there is none that can run
 */
export function runtime() {
  const file = runtimeFile();
  if (process.platform === 'linux' && existsSync(file)) {
    // An own Node.js would only fail later: esbuild and the database driver lie there too.
    if (!mayRun(file)) throw new SetupError(NOEXEC);
    if (process.versions.node === pinnedVersion()) return process.execPath;
    const { status, error, stderr } = spawnSync(file, ['--version'], { encoding: 'utf8' });
    if (status === 0) return file;
    if (isNewEnough()) return process.execPath;
    const [cause] = (error?.message ?? stderr ?? '').trim().split('\n');
    throw new SetupError(
      `cannot run ${file}: ${cause}; remove node_modules and try again, or use a Node.js ${oldestMajor()} of your own`,
    );
  }
  if (isNewEnough()) return process.execPath;
  const oldest = oldestMajor();
  throw new SetupError(
    `cannot begin: on ${process.platform} ${process.arch} Node.js ${oldest} or later is needed, and this is ${process.versions.node}; install Node.js ${pinnedVersion()} from nodejs.org`,
  );
}

const isNewEnough = () => Number.parseInt(process.versions.node, 10) >= oldestMajor();

/** Asks the kernel, which also knows of a file system that is mounted noexec. */
function mayRun(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
