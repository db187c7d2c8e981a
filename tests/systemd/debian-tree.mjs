import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../../deploy/scripts/prepare.mjs';

/** What a board has, and the receiver and jq, with which the tests look at what it does. */
const PACKAGES = ['systemd', 'systemd-sysv', 'dbus', 'jq', 'victoria-metrics'];

/** The release of Debian that runs here: its keys are at hand, and its packages are near. */
export function debianRelease() {
  const name = /^VERSION_CODENAME=(\w+)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  if (name === undefined) throw new Error('/etc/os-release names no release of Debian (VERSION_CODENAME)');
  return name;
}

/** Where apt gets that release from. */
export function debianMirror(codename) {
  const { stdout } = spawnSync(
    'apt-get',
    ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', `Codename: ${codename}`],
    { encoding: 'utf8' },
  );
  const [address] = (stdout ?? '').split('\n');
  if (!address) throw new Error(`apt knows no source of Debian ${codename}; see /etc/apt/sources.list.d`);
  return address;
}

/**
 * Makes a Debian tree by debootstrap, which takes a minute or more.
 *
 * @param {string} folder missing or empty
 * @param {readonly string[]} packages beside the smallest system
 * @throws Error with debootstrap's last lines if it fails
 */
export function makeDebianTree(folder, packages) {
  const codename = debianRelease();
  mkdirSync(folder, { recursive: true });
  const args = ['--variant=minbase', `--include=${packages.join()}`, codename, folder, debianMirror(codename)];
  const { status, stdout, stderr } = spawnSync('debootstrap', args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
  if (status !== 0)
    throw new Error(`debootstrap failed:\n${(stdout ?? '').split('\n').slice(-15).join('\n')}${stderr ?? ''}`);
}

/**
 * A Debian that boots, in var/; made where it is not there yet.
 *
 * @param {string} name of the kind of tree
 * @param {readonly string[]} more packages beside those of a board
 * @returns {string} its folder, not to be changed: tests work on copies
 */
export function debianTree(name = 'debian', more = []) {
  const tree = join(root, 'var', `${name}-${debianRelease()}`);
  if (existsSync(tree)) return tree;
  const making = `${tree}.making`;
  rmSync(making, { recursive: true, force: true });
  makeDebianTree(making, [...PACKAGES, ...more]);
  renameSync(making, tree);
  return tree;
}
