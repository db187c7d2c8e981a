/**
 * Packages of npm for a platform that may not be this one: where npm has installed them here, else downloaded as the
 * lockfile names them, checked against its integrity, and kept in var/packages.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './runtime.mjs';

const cache = join(root, 'var', 'packages');

/**
 * The folder of a package.
 *
 * @param {string} name such as `@koromix/koffi-linux-arm64`
 * @returns {string} its folder, not to be changed
 * @throws Error if the lockfile does not name it, or it cannot be downloaded, or is not what the lockfile names
 */
export function packageFolder(name) {
  const installed = join(root, 'node_modules', name);
  if (existsSync(join(installed, 'package.json'))) return installed;
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8'));
  const locked = packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json does not name ${name}`);
  const folder = join(cache, `${name.replace('/', '+')}-${locked.version}`);
  if (!existsSync(folder)) downloadPackage(name, locked, folder);
  return folder;
}

/**
 * Downloads a package, and puts it into its folder when it is whole.
 *
 * @param {string} name
 * @param {{ version: string, integrity: string }} pinned
 * @param {string} folder missing; on the file system of var/
 * @throws Error if npm cannot download it, or its bytes differ from the integrity
 */
export function downloadPackage(name, { version, integrity }, folder) {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'downloading-'));
  try {
    console.error(`downloading ${name} ${version} …`);
    const [{ filename }] = JSON.parse(
      output('npm', ['pack', `${name}@${version}`, '--json', '--pack-destination', work]),
    );
    const archive = join(work, filename);
    checkIntegrity(name, readFileSync(archive), integrity);
    output('tar', ['-xzf', archive, '-C', work]);
    renameSync(join(work, 'package'), folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Compares bytes with what is pinned, such as in the lockfile (Subresource Integrity: `ALGORITHM-BASE64`).
 *
 * @throws Error if they differ, or nothing is pinned
 */
export function checkIntegrity(name, bytes, integrity) {
  const [, algorithm, expected] = /^(sha\d+)-(.+)$/.exec(integrity) ?? [];
  if (algorithm === undefined) throw new Error(`cannot check ${name}: no integrity is pinned for it`);
  const found = createHash(algorithm).update(bytes).digest('base64');
  if (found !== expected)
    throw new Error(`cannot use ${name}: its integrity is ${algorithm}-${found}, pinned is ${integrity}`);
}

function output(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${(stderr || error?.message || '').trim()}`);
  return stdout;
}
