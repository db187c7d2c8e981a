/** The C and C++ libraries of Debian for arm64, beside those of this machine. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { root } from '../../deploy/scripts/prepare.mjs';

/** What the package depends on, but systemd. */
const PACKAGES = ['libc6', 'libstdc++6', 'libgcc-s1'];

/**
 * Unpacks the libraries into var/, unless they are there from the last time.
 *
 * @returns {string} the folder that stands for / where arm64's dynamic linker looks
 * @throws Error if apt cannot download them
 */
export function arm64Libraries() {
  const folder = join(root, 'var', 'arm64', 'libraries');
  if (existsSync(folder)) return folder;
  const work = join(root, 'var', 'arm64', 'downloading');
  rmSync(work, { recursive: true, force: true });
  for (const name of ['lists/partial', 'cache/archives/partial', 'debs'])
    mkdirSync(join(work, name), { recursive: true });
  // Lists of its own: the machine's need not know the architecture.
  const options = [
    'APT::Architecture=arm64',
    'APT::Architectures=arm64',
    `Dir::State::Lists=${join(work, 'lists')}`,
    `Dir::Cache=${join(work, 'cache')}`,
    'Dir::State::status=/dev/null',
    'APT::Sandbox::User=root',
  ];
  const apt = (...args) =>
    run('apt-get', ['-q', ...options.flatMap((option) => ['-o', option]), ...args], join(work, 'debs'));
  apt('update');
  apt('download', ...PACKAGES);
  const unpacked = join(work, 'unpacked');
  for (const name of readdirSync(join(work, 'debs'))) run('dpkg', ['-x', join(work, 'debs', name), unpacked], work);
  renameSync(unpacked, folder);
  rmSync(work, { recursive: true });
  return folder;
}

function run(command, args, cwd) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.at(-1)} failed: ${stderr || stdout || error?.message}`);
}
