import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const repositoryToolsDir = fileURLToPath(new URL('../../var/tools', import.meta.url));

/**
 * Downloads a Debian package and unpacks it, without root. Returns the path of its binary.
 *
 * @param name of the package and of the binary in it
 * @param options where to, by default var/tools, and arguments with which the binary ends at once
 */
export async function unpackDebianPackage(
  name: string,
  { toolsDir = repositoryToolsDir, proof }: { readonly toolsDir?: string; readonly proof: readonly string[] },
): Promise<string> {
  await mkdir(toolsDir, { recursive: true });
  const work = await mkdtemp(join(toolsDir, 'unpacking-'));
  try {
    const archive = await downloadDebianPackage(name, work);
    const unpacked = join(work, 'unpacked');
    await run('dpkg', ['-x', archive, unpacked]);
    // Fails here, with a cause, if libraries of the binary are missing.
    await run(join(unpacked, 'usr', 'bin', name), proof);
    await rename(unpacked, join(toolsDir, name)).catch(unlessAlreadyThere);
    return join(toolsDir, name, 'usr', 'bin', name);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Downloads the package into `work` and returns its path. The system's package lists may be missing, as in most
 * container images, or name a version that is gone; then lists of our own are fetched.
 */
export async function downloadDebianPackage(name: string, work: string): Promise<string> {
  const lists = join(work, 'lists');
  const cache = join(work, 'cache');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  // As root apt would download as its own user, who may not write here.
  const common = ['-q', '-o', `Dir::Cache=${cache}`, '-o', 'APT::Sandbox::User=root'];
  const ownLists = [...common, '-o', `Dir::State::lists=${lists}`];
  const download = ['download', name];
  try {
    await run('apt-get', [...common, ...download], { cwd: work });
  } catch {
    await run('apt-get', [...ownLists, 'update'], { cwd: work });
    await run('apt-get', [...ownLists, ...download], { cwd: work });
  }
  const archive = (await readdir(work)).find((file) => file.startsWith(`${name}_`) && file.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get download left no package behind');
  return join(work, archive);
}

/** Ignores that another process has unpacked the same package meanwhile; its copy is as good. */
function unlessAlreadyThere(error: unknown): void {
  const { code } = error as NodeJS.ErrnoException;
  if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
}

/** Returns whether a path is of a file that may be run. */
export async function isExecutable(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
