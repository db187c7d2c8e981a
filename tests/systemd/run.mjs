/**
 * npm run test:systemd: builds the packages of both architectures and the one to upgrade from, boots Debian in a container,
 * and tests the package and its units there. Needs root. Extra arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';
import { debianTree } from './debian-tree.mjs';
import { olderPackage } from './older-package.mjs';

const startedAt = performance.now();

function step(title) {
  console.log(`\n— ${title} (after ${Math.round((performance.now() - startedAt) / 1000)} s)`);
}

/** Builds the package of an architecture, and returns its path. */
function buildPackage(architecture) {
  const args = [join(root, 'deploy', 'scripts', 'package-deb.mjs'), '--quick', '--arch', architecture];
  const { status, stdout } = spawnSync(process.execPath, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status !== 0) process.exit(1);
  return join(root, stdout.trim());
}

function buildOlderPackage() {
  try {
    return olderPackage();
  } catch (error) {
    console.error(error.message);
    return process.exit(1);
  }
}

step('Debian packages');
const machine = await prepareMachineOrExit('test:systemd');
process.env.PATH = machine.PATH;
step('building the packages of both architectures');
await prepare();
const [own, foreign] = process.arch === 'arm64' ? ['arm64', 'amd64'] : ['amd64', 'arm64'];
const built = { THUGSHELLS_PACKAGE: buildPackage(own), THUGSHELLS_FOREIGN_PACKAGE: buildPackage(foreign) };
step('the package to upgrade from; building it takes some minutes the first time');
const older = buildOlderPackage();
console.log(older);
step('making a Debian to boot');
const tree = debianTree();
console.log(tree);
// debootstrap does not find who provides what python3-cryptography names.
const fleetTree = debianTree('fleet', ['ansible-core', 'python3-apt', 'python3-cffi-backend']);
console.log(fleetTree);
step('tests under systemd');
const { status, passed, failed } = runJest(['--config', 'tests/systemd/jest.config.js', ...process.argv.slice(2)], {
  ...machine,
  ...built,
  THUGSHELLS_OLDER_PACKAGE: older,
  THUGSHELLS_TREE: tree,
  THUGSHELLS_FLEET_TREE: fleetTree,
});
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
