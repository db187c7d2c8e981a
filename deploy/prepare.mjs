/**
 * Installs what is missing and builds what is stale: what every command of this project does first.
 * Imports nothing that would have to be installed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const [major, minor] = process.versions.node.split('.').map(Number);

export const root = fileURLToPath(new URL('..', import.meta.url));

/** Runs a program, its output shown; ends this process where it fails. */
export function run(command, args, { env = {}, quiet = false } = {}) {
  const { status, error, stdout, stderr } = spawnSync(command, args, {
    cwd: root,
    env: { ...process.env, ...env },
    stdio: quiet ? 'pipe' : 'inherit',
    encoding: 'utf8',
  });
  if (status === 0) return;
  if (quiet) process.stderr.write(`${stdout ?? ''}${stderr ?? ''}`);
  console.error(`${[command, ...args].join(' ')} failed${error ? `: ${error.message}` : ` with exit code ${status}`}`);
  process.exit(1);
}

/** Runs a program of node_modules. */
export function runTool(name, args, options) {
  run(process.execPath, [toolFile(name), ...args], options);
}

/** The script behind a name in node_modules/.bin. */
function toolFile(name) {
  const [packageName, bin = name] = name.split(':');
  const folder = join(root, 'node_modules', packageName);
  const { bin: bins } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, typeof bins === 'string' ? bins : bins[bin]);
}

/** What npm installed is recorded in node_modules; it is stale when the lockfile says otherwise. */
function isInstalled() {
  const record = join(root, 'node_modules', '.package-lock.json');
  if (!existsSync(record)) return false;
  const installed = JSON.parse(readFileSync(record, 'utf8')).packages;
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  return (
    nativeParts().every(loads) &&
    Object.entries(packages).every(
      ([path, { version, optional, link }]) => path === '' || link || optional || !path.startsWith('node_modules/') || installed[path]?.version === version,
    )
  );
}

/** What is in machine code below node_modules; which driver of the database, shared/src/database/driver.ts says. */
function nativeParts() {
  const driver = major >= 24 ? 'better-sqlite3-node-api/lib/binding.js' : 'better-sqlite3/build/Release/better_sqlite3.node';
  return [driver, 'unix-dgram/build/Release/unix_dgram.node'];
}

/** Not what was never compiled, nor what was compiled for a Node.js of another major version. */
function loads(part) {
  try {
    createRequire(import.meta.url)(join(root, 'node_modules', part));
    return true;
  } catch {
    return false;
  }
}

/**
 * unix-dgram is compiled, and better-sqlite3 12 where its prebuilt binary cannot be fetched. Node's headers stand beside node in most
 * installations; node-gyp would look for them on the network.
 */
function nativeBuildEnvironment() {
  const prefix = join(dirname(process.execPath), '..');
  const hasHeaders = existsSync(join(prefix, 'include', 'node', 'node.h'));
  return hasHeaders ? { npm_package_config_node_gyp_nodedir: prefix } : {};
}

function install() {
  if (isInstalled()) return;
  console.error('Installing packages; two of them may be compiled, which takes a minute or two …');
  const npm = process.env.npm_execpath;
  const [command, first] = npm === undefined ? ['npm', []] : [process.execPath, [npm]];
  run(command, [...first, 'ci', '--no-audit', '--no-fund'], { env: nativeBuildEnvironment() });
}

function requireUsableNode() {
  if (major > 20 || (major === 20 && minor >= 19)) return;
  console.error(`Thugshells needs Node.js 20.19 or later; this is ${process.versions.node}. Install Node.js 24 (https://nodejs.org/en/download), or use the Debian package, which brings its own`);
  process.exit(1);
}

/** Installs and builds; TypeScript itself knows what is stale. */
export function prepare() {
  requireUsableNode();
  install();
  runTool('typescript:tsc', ['-b']);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) prepare();
