/**
 * Finds the programs of others that tests, benches and `npm start` run: receivers, and agents to compare with. In this
 * order: the variable that names one, var/peers, the PATH, and Debian's package unpacked into var/tools.
 *
 * Plain JavaScript, since the scripts that build everything else need it before anything is built.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';

import { builtFolder, isForThisMachine, readBuilt, readPeerModule, repositoryPeersDir } from './peer-modules.ts';
import { isExecutable, repositoryToolsDir, unpackDebianPackage } from './debian-package.ts';

const run = promisify(execFile);

/** @typedef {import('./programs.d.mts').WhereToLook} WhereToLook */
/** @typedef {import('./programs.d.mts').ProgramName} ProgramName */

/**
 * `names` has the name in the module or Debian's first; `beside` the program beside which it is looked for, since both
 * come in one package.
 */
export const PROGRAMS = {
  'victoria-metrics': {
    variable: 'VICTORIA_METRICS_BIN',
    names: ['victoria-metrics', 'victoria-metrics-prod'],
    module: 'victoria-metrics',
    package: 'victoria-metrics',
    versionFlag: '-version',
  },
  vmagent: {
    variable: 'VMAGENT_BIN',
    names: ['vmagent', 'vmagent-prod'],
    module: 'victoria-metrics',
    package: 'victoria-metrics',
    versionFlag: '-version',
    beside: 'victoria-metrics',
  },
  vmalert: {
    variable: 'VMALERT_BIN',
    names: ['vmalert', 'vmalert-prod'],
    module: 'victoria-metrics',
    package: 'victoria-metrics',
    versionFlag: '-version',
    beside: 'victoria-metrics',
  },
  vmauth: {
    variable: 'VMAUTH_BIN',
    names: ['vmauth', 'vmauth-prod'],
    module: 'victoria-metrics',
    package: 'victoria-metrics',
    versionFlag: '-version',
    beside: 'victoria-metrics',
  },
  prometheus: {
    variable: 'PROMETHEUS_BIN',
    names: ['prometheus'],
    module: 'prometheus',
    package: 'prometheus',
    versionFlag: '--version',
  },
  node_exporter: {
    variable: 'NODE_EXPORTER_BIN',
    names: ['node_exporter', 'prometheus-node-exporter'],
    module: 'node-exporter',
    package: 'prometheus-node-exporter',
    versionFlag: '--version',
  },
};

/** Which generation to find: `debian` passes over var/peers. Set by `npm run test:generations`. */
const GENERATION = 'PEERS';

/** The release that is named where a system has no package of its own. */
const RELEASE = 'v1.151.0';

/**
 * Finds a program that is already on this machine; downloads and builds nothing.
 *
 * A variable that names what cannot be run is an error and not passed over: whoever set it means that one.
 *
 * @param {ProgramName} name
 * @param {WhereToLook} [where]
 * @returns {Promise<string | undefined>}
 */
export async function findProgramAtHand(name, where = {}) {
  const { env = process.env, toolsDir = repositoryToolsDir, peersDir = repositoryPeersDir } = where;
  const program = PROGRAMS[name];
  const named = await findNamed(program.variable, env);
  if (named !== undefined) return named;
  const besides = program.beside === undefined ? undefined : await findNamed(PROGRAMS[program.beside].variable, env);
  const folders = [
    ...(besides === undefined ? [] : [dirname(besides)]),
    ...(env[GENERATION] === 'debian' ? [] : builtFolders(program.module, peersDir)),
    ...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...[join(toolsDir, program.package, 'usr', 'bin'), toolsDir],
  ];
  for (const path of folders.flatMap((folder) => program.names.map((file) => join(folder, file)))) {
    if ((await isExecutable(path)) && isForThisMachine(path)) return path;
  }
  return undefined;
}

/** The path that a variable names, if it is set. */
async function findNamed(variable, env) {
  const named = env[variable];
  if (named === undefined || named === '') return undefined;
  if (await isExecutable(named)) return named;
  throw new Error(`${variable} names ${named}, which is not an executable file`);
}

function builtFolders(module, peersDir) {
  const folder = builtFolder(readPeerModule(module), peersDir);
  return readBuilt(folder) === undefined ? [] : [folder];
}

/**
 * Finds a program, and unpacks Debian's package when none is on this machine. Rejects with the command that gets one.
 *
 * @param {ProgramName} name
 * @param {WhereToLook} [where]
 * @returns {Promise<string>}
 */
export async function findProgram(name, where = {}) {
  const atHand = await findProgramAtHand(name, where);
  if (atHand !== undefined) return atHand;
  const { package: debianPackage, versionFlag, names } = PROGRAMS[name];
  const toolsDir = where.toolsDir ?? repositoryToolsDir;
  try {
    await unpackDebianPackage(debianPackage, { toolsDir, proof: [versionFlag] });
  } catch (cause) {
    throw new Error(`cannot find ${names[0]}: ${await advice(name, toolsDir)}`, { cause });
  }
  const unpacked = await findProgramAtHand(name, where);
  if (unpacked === undefined)
    throw new Error(`cannot find ${names[0]}: Debian's package ${debianPackage} does not have it`);
  return unpacked;
}

/**
 * Returns a program's version, such as 1.151.0; `unknown` when nothing tells it. Debian's VictoriaMetrics prints an
 * empty line, so that its package is asked.
 *
 * @param {string} binary
 */
export async function readVersion(binary) {
  // VictoriaMetrics' programs know both spellings.
  const { stdout, stderr } = await run(binary, ['--version']);
  const printed = /(?:\bv|version )(\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1];
  return printed ?? (await packageVersion(binary)) ?? 'unknown';
}

/** The upstream version of the Debian package that a file belongs to, installed or unpacked into var/tools. */
async function packageVersion(binary) {
  const installed = async () => {
    const { stdout: owner } = await run('dpkg-query', ['-S', binary]);
    return (await run('dpkg-query', ['-W', '-f', '${Version}', owner.split(':')[0]])).stdout;
  };
  const unpacked = async () => {
    const changelogs = join(dirname(binary), '..', 'share', 'doc', 'victoria-metrics', 'changelog.Debian.gz');
    return gunzipSync(await readFile(changelogs))
      .toString('utf8')
      .split('\n')[0];
  };
  const text = await installed()
    .catch(unpacked)
    .catch(() => '');
  return /\d+\.\d+\.\d+/.exec(text)?.[0];
}

/**
 * What to do on this platform, as one sentence with the command in it.
 *
 * @param {ProgramName} name
 * @param {string} toolsDir
 */
async function advice(name, toolsDir) {
  const { package: debianPackage, variable, module } = PROGRAMS[name];
  const orNameIt = `or set ${variable} to its path`;
  if (process.platform === 'darwin' && module === 'victoria-metrics')
    return `run: brew install victoriametrics; ${orNameIt}`;
  if (await isExecutable('/usr/bin/apt-get'))
    return `run: sudo apt-get update && sudo apt-get install ${debianPackage}; ${orNameIt}`;
  if (name !== 'victoria-metrics') return `run: npm run peers; ${orNameIt}`;
  const cpu = process.arch === 'x64' ? 'amd64' : process.arch;
  const releases = 'https://github.com/VictoriaMetrics/VictoriaMetrics/releases/download';
  const url = `${releases}/${RELEASE}/victoria-metrics-linux-${cpu}-${RELEASE}.tar.gz`;
  return `run: npm run peers; or mkdir -p ${toolsDir} && curl -L ${url} | tar -xz -C ${toolsDir}; ${orNameIt}`;
}
