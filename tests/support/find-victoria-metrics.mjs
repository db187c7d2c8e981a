// Plain JavaScript, since the scripts that build everything else need it before anything is built.
import { execFile } from 'node:child_process';
import { access, constants, mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** @typedef {import('./find-victoria-metrics.d.mts').WhereToLook} WhereToLook */

const run = promisify(execFile);

/** Debian's name and the name in the project's own archives. */
const BINARIES = ['victoria-metrics', 'victoria-metrics-prod'];

/** The folder that Debian's package is unpacked into, below the folder of tools. */
const UNPACKED = 'victoria-metrics';

/** The release that is named where a system has no package of its own. */
const RELEASE = 'v1.102.0';

const repositoryToolsDir = fileURLToPath(new URL('../../var/tools', import.meta.url));

/**
 * The path of a VictoriaMetrics that is already on this machine, if there is one. Downloads nothing.
 *
 * A VICTORIA_METRICS_BIN that cannot be run is an error and not passed over: whoever set it means that one.
 *
 * @param {WhereToLook} [where]
 * @returns {Promise<string | undefined>}
 */
export async function victoriaMetricsAtHand({ env = process.env, toolsDir = repositoryToolsDir } = {}) {
  const named = env['VICTORIA_METRICS_BIN'];
  if (named !== undefined && named !== '') {
    if (await isExecutable(named)) return named;
    throw new Error(`VICTORIA_METRICS_BIN names ${named}, which is not an executable file`);
  }
  const onPath = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '');
  const unpacked = [join(toolsDir, UNPACKED, 'usr', 'bin'), toolsDir];
  for (const folder of [...onPath, ...unpacked]) {
    for (const name of BINARIES) {
      const path = join(folder, name);
      if (await isExecutable(path)) return path;
    }
  }
  return undefined;
}

/**
 * The path of a VictoriaMetrics, unpacked from Debian's package where none is on this machine. Rejects with the
 * command that gets one.
 *
 * @param {WhereToLook} [where]
 * @returns {Promise<string>}
 */
export async function findVictoriaMetrics(where = {}) {
  const atHand = await victoriaMetricsAtHand(where);
  if (atHand !== undefined) return atHand;
  const toolsDir = where.toolsDir ?? repositoryToolsDir;
  try {
    return await unpackDebianPackage(toolsDir);
  } catch (cause) {
    throw new Error(`no VictoriaMetrics was found. ${await advice(toolsDir)}`, { cause });
  }
}

/**
 * Downloads Debian's package and unpacks it, without root.
 *
 * @param {string} toolsDir
 */
async function unpackDebianPackage(toolsDir) {
  await mkdir(toolsDir, { recursive: true });
  const work = await mkdtemp(join(toolsDir, 'unpacking-'));
  try {
    const archive = await downloadDebianPackage(work);
    const unpacked = join(work, 'unpacked');
    await run('dpkg', ['-x', archive, unpacked]);
    // Shows that its libraries are here too, while there is still something to say about it.
    await run(join(unpacked, 'usr', 'bin', 'victoria-metrics'), ['-version']);
    await rename(unpacked, join(toolsDir, UNPACKED)).catch(unlessAlreadyThere);
    return join(toolsDir, UNPACKED, 'usr', 'bin', 'victoria-metrics');
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/**
 * Downloads the package into `work` and returns its path. The system's package lists may be missing, as in most
 * container images, or name a version that is gone; then lists of our own are fetched.
 *
 * @param {string} work
 */
async function downloadDebianPackage(work) {
  const lists = join(work, 'lists');
  const cache = join(work, 'cache');
  await mkdir(join(lists, 'partial'), { recursive: true });
  await mkdir(join(cache, 'archives', 'partial'), { recursive: true });
  // As root apt would download as its own user, who may not write here.
  const common = ['-q', '-o', `Dir::Cache=${cache}`, '-o', 'APT::Sandbox::User=root'];
  const ownLists = [...common, '-o', `Dir::State::lists=${lists}`];
  const download = ['download', UNPACKED];
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

/**
 * What to do on this platform, as one sentence with the command in it.
 *
 * @param {string} toolsDir
 */
async function advice(toolsDir) {
  const orNameIt = 'or set VICTORIA_METRICS_BIN to where one is.';
  if (process.platform === 'darwin') return `Get it with: brew install victoriametrics; ${orNameIt}`;
  if (await isExecutable('/usr/bin/apt-get')) {
    return `Get it with: sudo apt-get update && sudo apt-get install victoria-metrics; ${orNameIt}`;
  }
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  const releases = 'https://github.com/VictoriaMetrics/VictoriaMetrics/releases/download';
  const url = `${releases}/${RELEASE}/victoria-metrics-linux-${cpu}-${RELEASE}.tar.gz`;
  return `Get it with: mkdir -p ${toolsDir} && curl -L ${url} | tar -xz -C ${toolsDir}; ${orNameIt}`;
}

/** @param {string} path */
async function isExecutable(path) {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}
