/**
 * npm run test:arm64: builds the package for arm64, unpacks it, and runs both programs of it in an emulator
 * (qemu-user-static) with Debian's libraries for arm64; then boots a Debian for arm64 and installs the package there. On
 * arm64 itself the same without the emulator. Extra arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root, run } from '../../deploy/scripts/prepare.mjs';
import { findProgram } from '../../deploy/scripts/programs.ts';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';
import { arm64Debian } from './debian.mjs';
import { arm64Libraries } from './libraries.mjs';

const startedAt = performance.now();

function step(title) {
  console.log(`\n— ${title} (after ${Math.round((performance.now() - startedAt) / 1000)} s)`);
}

function builtPackage() {
  const args = [join(root, 'deploy', 'scripts', 'package-deb.mjs'), '--arch', 'arm64', '--quick'];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(1);
  return join(root, stdout.trim());
}

step('Debian packages');
const machine = await prepareMachineOrExit('test:arm64');
process.env.PATH = machine.PATH;
step('building the package for arm64');
const file = builtPackage();
const folder = join(root, 'var', 'arm64', 'package');
rmSync(folder, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
run('dpkg-deb', ['-x', file, folder]);
step('libraries for arm64');
const libraries = process.arch === 'arm64' ? '/' : arm64Libraries();
const victoriaMetrics = await findProgram('victoria-metrics');
step('a Debian for arm64');
const tree = arm64Debian();
step('tests on arm64');
const env = {
  ARM64_PACKAGE: file,
  ARM64_FOLDER: folder,
  ARM64_LIBRARIES: libraries,
  ARM64_DEBIAN: tree,
  VICTORIA_METRICS_BIN: victoriaMetrics,
};
const { status, passed, failed } = runJest(['--config', 'tests/arm64/jest.config.js', ...process.argv.slice(2)], env);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
