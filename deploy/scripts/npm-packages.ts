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

/** What the lockfile, or a list of another commit, pins of a package. */
export interface PinnedPackage {
  readonly version: string;
  /** Subresource Integrity: `ALGORITHM-BASE64`. */
  readonly integrity: string;
}

/**
 * Returns the folder of a package, which is not to be changed.
 *
 * @param name such as `@koromix/koffi-linux-arm64`
 * @throws Error if the lockfile does not name it, or it cannot be downloaded, or is not what the lockfile names
 */
export function packageFolder(name: string): string {
  const installed = join(root, 'node_modules', name);
  if (existsSync(join(installed, 'package.json'))) return installed;
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, PinnedPackage>>;
  };
  const locked = packages[`node_modules/${name}`];
  if (locked === undefined) throw new Error(`package-lock.json does not name ${name}`);
  const folder = join(cache, `${name.replace('/', '+')}-${locked.version}`);
  if (!existsSync(folder)) downloadPackage(name, locked, folder);
  return folder;
}

/**
 * Downloads a package, and puts it into its folder when it is whole.
 *
 * @param folder missing; on the file system of var/
 * @throws Error if npm cannot download it, or its bytes differ from the integrity
 */
export function downloadPackage(name: string, { version, integrity }: PinnedPackage, folder: string): void {
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'downloading-'));
  try {
    console.error(`downloading ${name} ${version} …`);
    const packed = JSON.parse(
      runForOutput('npm', ['pack', `${name}@${version}`, '--json', '--pack-destination', work]),
    ) as [{ filename: string }];
    const archive = join(work, packed[0].filename);
    checkIntegrity(name, readFileSync(archive), integrity);
    runForOutput('tar', ['-xzf', archive, '-C', work]);
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
export function checkIntegrity(name: string, bytes: Buffer, integrity: string | undefined): void {
  const [, algorithm, expected] = /^(sha\d+)-(.+)$/.exec(integrity ?? '') ?? [];
  if (algorithm === undefined) throw new Error(`cannot check ${name}: no integrity is pinned for it`);
  const found = createHash(algorithm).update(bytes).digest('base64');
  if (found !== expected)
    throw new Error(`cannot use ${name}: its integrity is ${algorithm}-${found}, pinned is ${integrity}`);
}

function runForOutput(command: string, args: readonly string[]): string {
  const { status, error, stdout, stderr } = spawnSync(command, args, { cwd: root, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed: ${(stderr || error?.message || '').trim()}`);
  return stdout;
}
