// Plain JavaScript, since the scripts that build everything else need it before anything is built.
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);

export const repositoryToolsDir = fileURLToPath(new URL('../../var/tools', import.meta.url));

/**
 * Downloads a Debian package and unpacks it, without root.
 *
 * @param {string} name of the package and of the binary in it
 * @param {{ toolsDir?: string, proof: readonly string[] }} where and arguments with which the binary ends at once
 * @returns {Promise<string>} the path of the binary
 */
export async function unpackDebianPackage(name, { toolsDir = repositoryToolsDir, proof }) {
  await mkdir(toolsDir, { recursive: true });
  const work = await mkdtemp(join(toolsDir, 'unpacking-'));
  try {
    const archive = await downloadDebianPackage(name, work);
    const unpacked = join(work, 'unpacked');
    await run('dpkg', ['-x', archive, unpacked]);
    // Shows that its libraries are here too, while there is still something to say about it.
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
 *
 * @param {string} name
 * @param {string} work
 */
async function downloadDebianPackage(name, work) {
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
  const archive = (await readdir(work)).find((name) => name.endsWith('.deb'));
  if (archive === undefined) throw new Error('apt-get download left no package behind');
  return join(work, archive);
}

/**
 * Another process may have unpacked the same package meanwhile; its copy is as good.
 *
 * @param {unknown} error
 */
function unlessAlreadyThere(error) {
  const code = /** @type {NodeJS.ErrnoException} */ (error).code;
  if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error;
}

/** @param {string} path */
export async function isExecutable(path) {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
