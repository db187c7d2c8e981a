/**
 * Finds nginx, HAProxy and tinyproxy: on this machine, or in Debian's packages, which are unpacked into var/tools with the
 * libraries that they need. They are never installed: as services they would take ports of this machine.
 */
import { execFile } from 'node:child_process';
import { access, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { promisify } from 'node:util';

import { downloadDebianPackage, isExecutable, repositoryToolsDir } from '../../../deploy/scripts/debian-package.ts';

const run = promisify(execFile);

export type ProxyName = 'nginx' | 'haproxy' | 'tinyproxy';

/** A program and the environment that it needs. */
export interface ProxyProgram {
  readonly file: string;
  readonly env: Readonly<Record<string, string>>;
}

const PACKAGES: Readonly<
  Record<ProxyName, { readonly package: string; readonly path: string; readonly proof: string }>
> = {
  nginx: { package: 'nginx', path: 'usr/sbin/nginx', proof: '-v' },
  haproxy: { package: 'haproxy', path: 'usr/sbin/haproxy', proof: '-v' },
  tinyproxy: { package: 'tinyproxy-bin', path: 'usr/bin/tinyproxy', proof: '-v' },
};

/** Returns a proxy that runs here. @throws if its package cannot be downloaded or run */
export async function findProxy(name: ProxyName): Promise<ProxyProgram> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin'];
  for (const folder of folders.filter((each) => each !== ''))
    if (await isExecutable(join(folder, name))) return { file: join(folder, name), env: {} };
  const root = join(repositoryToolsDir, PACKAGES[name].package);
  const isUnpacked = await access(root).then(
    () => true,
    () => false,
  );
  return isUnpacked ? programIn(root, name) : unpack(name, root);
}

async function unpack(name: ProxyName, root: string): Promise<ProxyProgram> {
  await mkdir(repositoryToolsDir, { recursive: true });
  const work = await mkdtemp(join(repositoryToolsDir, 'unpacking-'));
  try {
    const unpacked = join(work, 'unpacked');
    // The program itself first: it fetches package lists where there are none.
    for (const each of new Set([PACKAGES[name].package, ...(await missingPackages(name))]))
      await run('dpkg', ['-x', await downloadDebianPackage(each, work), unpacked]);
    const { file, env } = await programIn(unpacked, name);
    await run(file, [PACKAGES[name].proof], { env: { ...process.env, ...env } });
    // Another process may have unpacked the same package meanwhile.
    await rename(unpacked, root).catch(() => undefined);
    return await programIn(root, name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Lists what apt would install for the package; nothing where it has no lists. */
async function missingPackages(name: ProxyName): Promise<string[]> {
  const options = ['-qq', '-o', 'Debug::NoLocking=1', '--no-install-recommends', '--print-uris'];
  const { stdout } = await run('apt-get', [...options, 'install', PACKAGES[name].package]).catch(() => ({
    stdout: '',
  }));
  const names = [...stdout.matchAll(/^'[^']*' ([^_\s]+)_/gm)].map((match) => match[1]!);
  return names.filter((each) => !/-common$|^init-system/.test(each));
}

async function programIn(root: string, name: ProxyName): Promise<ProxyProgram> {
  const libraries = join(root, 'usr', 'lib');
  const folders = await readdir(libraries).catch(() => []);
  const found = folders.filter((folder) => folder.includes('-linux-gnu')).map((folder) => join(libraries, folder));
  return { file: join(root, PACKAGES[name].path), env: { LD_LIBRARY_PATH: found.join(delimiter) } };
}
