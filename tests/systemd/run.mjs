/**
 * npm run test:systemd: builds the package, boots Debian in a container, and tries the package and its units there.
 * Needs root, debootstrap, systemd-nspawn and lintian. Extra arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root, run, runTool } from '../../deploy/prepare.mjs';
import { debianTree } from './debian-tree.mjs';

const NEEDED = { debootstrap: 'debootstrap', 'systemd-nspawn': 'systemd-container', lintian: 'lintian', curl: 'curl', 'dpkg-shlibdeps': 'dpkg-dev', strip: 'binutils' };
const resultsFile = join(root, 'var', 'systemd-results.json');

const startedAt = performance.now();

function step(title) {
  console.log(`\n— ${title} (after ${Math.round((performance.now() - startedAt) / 1000)} s)`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}

function requireTools() {
  if (process.getuid() !== 0) fail('test:systemd boots a container, which only root may; run it as root');
  const missing = Object.entries(NEEDED).filter(([command]) => spawnSync('sh', ['-c', `command -v ${command}`]).status !== 0);
  if (missing.length > 0) fail(`test:systemd needs ${missing.map(([command]) => command).join(', ')}; apt-get install ${missing.map(([, name]) => name).join(' ')}`);
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

requireTools();
step('building the package');
prepare();
runTool('typescript:tsc', ['-p', 'tests']);
const built = packages();
step('making a Debian to boot');
const tree = debianTree();
console.log(tree);
step('tests under systemd');
rmSync(resultsFile, { force: true });
const { status } = spawnSync(
  process.execPath,
  ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js', '--config', 'tests/systemd/jest.config.js', ...process.argv.slice(2)],
  { cwd: root, stdio: 'inherit', env: { ...process.env, ...built, THUGSHELLS_TREE: tree, TEST_RESULTS: resultsFile } },
);
const { tests, brokenFiles } = existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : { tests: [], brokenFiles: 1 };
const count = (wanted) => tests.filter((test) => test.status === wanted).length;
const failed = count('failed') + brokenFiles;
console.log(`\n${count('passed')} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && count('passed') > 0 ? 0 : 1);
