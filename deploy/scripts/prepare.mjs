/**
 * Installs what is missing and bundles what is stale: what every command of this project does first.
 * Imports nothing that would have to be installed.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { install, oldestMajor, root, SetupError } from './runtime.mjs';

export { root };

/** Runs a program, its output shown; ends this process if it fails. */
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

/** Runs a program of node_modules, such as `eslint`, or `typescript:tsc` for a command named otherwise than its package. */
export function runTool(name, args, options) {
  const [packageName, command = name] = name.split(':');
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  run(process.execPath, [join(folder, typeof bin === 'string' ? bin : bin[command]), ...args], options);
}

/** Installs and bundles. */
export async function prepare() {
  try {
    if (Number.parseInt(process.versions.node, 10) < oldestMajor()) {
      throw new SetupError(
        `this script needs Node.js ${oldestMajor()}; this is ${process.versions.node}: run it by npm run, or with node_modules/.bin/node`,
      );
    }
    install({ omitDev: true });
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
  const { bundlePrograms } = await import('./bundle.mjs');
  await bundlePrograms();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await prepare();
