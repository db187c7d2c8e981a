/**
 * Finds the programs of others that tests, benches and `npm start` run: receivers, and agents to compare with. In this
 * order: the variable that names one, var/peers, the PATH, and Debian's package unpacked into var/tools.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { gunzipSync } from 'node:zlib';

import { isExecutable, repositoryToolsDir, unpackDebianPackage } from './debian-package.ts';
import {
  builtFolder,
  isForThisMachine,
  readBuilt,
  readPeerModule,
  repositoryPeersDir,
  type PeerName,
} from './peer-modules.ts';

const run = promisify(execFile);

/** Where to search; by default this process's environment, and the repository's var/tools and var/peers. */
export interface ProgramSearch {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly toolsDir?: string;
  readonly peersDir?: string;
}

export type ProgramName = 'victoria-metrics' | 'vmagent' | 'vmalert' | 'vmauth' | 'prometheus' | 'node_exporter';

/** A program of others. */
export interface PeerProgram {
  /** The environment variable that names its file. */
  readonly variable: string;
  /** Names of its file, the module's or Debian's first. */
  readonly names: readonly [string, ...string[]];
  /** The Go module that has it. */
  readonly module: PeerName;
  /** The Debian package that has it. */
  readonly package: string;
  readonly versionFlag: string;
  /** The program of the same package beside which it lies. */
  readonly beside?: ProgramName;
}

export const PROGRAMS: Readonly<Record<ProgramName, PeerProgram>> = {
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

/** The release that an error names if the system has no package of it. */
const RELEASE = 'v1.151.0';

/**
 * Finds a program that is already on this machine; downloads and builds nothing.
 *
 * @throws Error if a variable names what cannot be run: whoever set it means that file
 */
export async function findProgramAtHand(name: ProgramName, search: ProgramSearch = {}): Promise<string | undefined> {
  const { env = process.env, toolsDir = repositoryToolsDir, peersDir = repositoryPeersDir } = search;
  const program = PROGRAMS[name];
  const named = await findNamed(program.variable, env);
  if (named !== undefined) return named;
  const besides = program.beside === undefined ? undefined : await findNamed(PROGRAMS[program.beside].variable, env);
  const folders = [
    ...(besides === undefined ? [] : [dirname(besides)]),
    ...(env[GENERATION] === 'debian' ? [] : findBuiltFolders(program.module, peersDir)),
    ...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''),
    ...[join(toolsDir, program.package, 'usr', 'bin'), toolsDir],
  ];
  for (const path of folders.flatMap((folder) => program.names.map((file) => join(folder, file)))) {
    if ((await isExecutable(path)) && isForThisMachine(path)) return path;
  }
  return undefined;
}

/** Returns the path that a variable names; undefined if it is not set. */
async function findNamed(
  variable: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string | undefined> {
  const named = env[variable];
  if (named === undefined || named === '') return undefined;
  if (await isExecutable(named)) return named;
  throw new Error(`${variable} names ${named}, which is not an executable file`);
}

function findBuiltFolders(module: PeerName, peersDir: string): string[] {
  const folder = builtFolder(readPeerModule(module), peersDir);
  return readBuilt(folder) === undefined ? [] : [folder];
}

/**
 * Finds a program, and unpacks Debian's package when none is on this machine.
 *
 * @throws Error with the command that gets one
 */
export async function findProgram(name: ProgramName, search: ProgramSearch = {}): Promise<string> {
  const atHand = await findProgramAtHand(name, search);
  if (atHand !== undefined) return atHand;
  const { package: debianPackage, versionFlag, names } = PROGRAMS[name];
  const toolsDir = search.toolsDir ?? repositoryToolsDir;
  try {
    await unpackDebianPackage(debianPackage, { toolsDir, proof: [versionFlag] });
  } catch (cause) {
    throw new Error(`cannot find ${names[0]}: ${await findAdvice(name, toolsDir)}`, { cause });
  }
  const unpacked = await findProgramAtHand(name, search);
  if (unpacked === undefined)
    throw new Error(`cannot find ${names[0]}: Debian's package ${debianPackage} does not have it`);
  return unpacked;
}

/**
 * Returns a program's version, such as 1.151.0; `unknown` when neither the program nor its package has one. Debian's
 * VictoriaMetrics prints an empty line, so that its package is read.
 */
export async function readVersion(binary: string): Promise<string> {
  // VictoriaMetrics' programs know both spellings.
  const { stdout, stderr } = await run(binary, ['--version']);
  const printed = /(?:\bv|version )(\d+\.\d+\.\d+)/.exec(stdout + stderr)?.[1];
  return printed ?? (await readPackageVersion(binary)) ?? 'unknown';
}

/** Returns the upstream version of the Debian package that a file belongs to, installed or unpacked into var/tools. */
async function readPackageVersion(binary: string): Promise<string | undefined> {
  const readInstalled = async (): Promise<string> => {
    const { stdout: owner } = await run('dpkg-query', ['-S', binary]);
    return (await run('dpkg-query', ['-W', '-f', '${Version}', owner.split(':')[0]!])).stdout;
  };
  const readUnpacked = async (): Promise<string> => {
    const changelogs = join(dirname(binary), '..', 'share', 'doc', 'victoria-metrics', 'changelog.Debian.gz');
    return gunzipSync(await readFile(changelogs))
      .toString('utf8')
      .split('\n')[0]!;
  };
  const text = await readInstalled()
    .catch(readUnpacked)
    .catch(() => '');
  return /\d+\.\d+\.\d+/.exec(text)?.[0];
}

/** Returns what to do on this platform, as one sentence with the command in it. */
async function findAdvice(name: ProgramName, toolsDir: string): Promise<string> {
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
