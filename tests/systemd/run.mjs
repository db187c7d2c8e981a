/**
 * npm run test:systemd: builds the package, boots Debian in a container, and tries the package and its units there.
 * Needs root. Extra arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root, run } from '../../deploy/prepare.mjs';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';
import { debianTree } from './debian-tree.mjs';

const startedAt = performance.now();

function step(title) {
  console.log(`\n— ${title} (after ${Math.round((performance.now() - startedAt) / 1000)} s)`);
}

/** The same package under a lower version: what a board has before an upgrade. */
function olderThan(file) {
  const folder = mkdtempSync(join(root, 'var', 'older-'));
  run('dpkg-deb', ['-R', file, folder]);
  const control = join(folder, 'DEBIAN', 'control');
  writeFileSync(control, readFileSync(control, 'utf8').replace(/^Version: .*$/m, 'Version: 0.0.9'));
  const older = join(root, 'var', 'thugshells_0.0.9.deb');
  run('dpkg-deb', ['--root-owner-group', '-Zgzip', '-z1', '-b', folder, older], { quiet: true });
  rmSync(folder, { recursive: true });
  return older;
}

function packages() {
  const { status, stdout } = spawnSync(process.execPath, [join(root, 'deploy', 'package-deb.mjs'), '--quick'], { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
  if (status !== 0) process.exit(1);
  const current = join(root, stdout.trim());
  return { THUGSHELLS_PACKAGE: current, THUGSHELLS_OLDER_PACKAGE: olderThan(current) };
}

step('Debian packages');
const machine = await prepareMachineOrExit('test:systemd');
step('building the package');
await prepare();
const built = packages();
step('making a Debian to boot');
const tree = debianTree();
console.log(tree);
step('tests under systemd');
const { status, passed, failed } = runJest(['--config', 'tests/systemd/jest.config.js', ...process.argv.slice(2)], { ...machine, ...built, THUGSHELLS_TREE: tree });
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
