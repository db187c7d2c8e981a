// Plain JavaScript, since the scripts that build everything else need it before anything is built.
import { delimiter, join } from 'node:path';

import { isExecutable, repositoryToolsDir, unpackDebianPackage } from './debian-package.mjs';

/** @typedef {import('./find-victoria-metrics.d.mts').WhereToLook} WhereToLook */

/** Debian's name and the name in the project's own archives. */
const BINARIES = ['victoria-metrics', 'victoria-metrics-prod'];

/** Debian's package, and the folder below that of tools into which it is unpacked. */
const UNPACKED = 'victoria-metrics';

/** The release that is named where a system has no package of its own. */
const RELEASE = 'v1.102.0';

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
    return await unpackDebianPackage(UNPACKED, { toolsDir, proof: ['-version'] });
  } catch (cause) {
    throw new Error(`no VictoriaMetrics was found. ${await advice(toolsDir)}`, { cause });
  }
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
