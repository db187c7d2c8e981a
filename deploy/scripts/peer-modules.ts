/**
 * The programs of today that tests and benches run beside Debian's: one Go module each, whose `tool` lines name them and
 * whose go.mod pins their version. `npm run peers` builds them into var/peers.
 */
import { closeSync, openSync, readFileSync, readSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MODULES_FOLDER = fileURLToPath(new URL('../../tests/peers/', import.meta.url));

export const repositoryPeersDir = fileURLToPath(new URL('../../var/peers', import.meta.url));

/** Written into a folder last: what its binaries were built from, and their sizes. */
export const RECORD = 'built.json';

/** e_machine of an ELF header (elf.h), by the names of Node.js. */
const ELF_MACHINES: Readonly<Record<string, number>> = { x64: 62, arm64: 183 };
const ELF_MAGIC = '\x7fELF';
const ELF_HEADER_BYTES = 20;
const E_MACHINE_OFFSET = 18;

/** How a module of Go is built. */
export interface PeerBuild {
  readonly tags: string;
  /** Returns the release that a version of the module is. */
  readonly release: (version: string) => string;
  /** Returns the linker's flag that makes the programs print their version. */
  readonly versionFlag: (version: string) => string;
}

/** A Go module that pins programs: their names, and their release. */
export interface PeerModule {
  readonly name: PeerName;
  readonly folder: string;
  readonly tools: readonly string[];
  readonly version: string;
}

/** What a folder of built programs records: what they were built from, and their sizes in bytes. */
export interface PeerRecord {
  readonly fingerprint: string;
  readonly sizes: Readonly<Record<string, number>>;
}

export type PeerName = 'victoria-metrics' | 'prometheus' | 'node-exporter';

/**
 * Each module: what `go build` needs besides its go.mod, and how its programs learn the version that they print.
 *
 * Prometheus numbers its module 0.316.0 where its release is 3.16.0.
 */
export const PEER_MODULES: Readonly<Record<PeerName, PeerBuild>> = {
  'victoria-metrics': {
    tags: '',
    release: (version) => version,
    versionFlag: (version) => `-X github.com/VictoriaMetrics/VictoriaMetrics/lib/buildinfo.Version=tags-v${version}`,
  },
  prometheus: {
    // Half of its dependencies are service discovery, which no test has a use for.
    tags: 'remove_all_sd',
    release: (version) =>
      version.replace(/^0\.(\d+)(\d\d)\./, (_, major: string, minor: string) => `${major}.${Number(minor)}.`),
    versionFlag: (version) => `-X github.com/prometheus/common/version.Version=${version}`,
  },
  'node-exporter': {
    tags: '',
    release: (version) => version,
    versionFlag: (version) => `-X github.com/prometheus/common/version.Version=${version}`,
  },
};

/**
 * Reads what a module pins: the paths of its programs, and the version of the module that has them.
 *
 * @throws Error if its go.mod requires no module that has the programs
 */
export function readPeerModule(name: PeerName, modulesFolder: string = MODULES_FOLDER): PeerModule {
  const folder = join(modulesFolder, name);
  const text = readFileSync(join(folder, 'go.mod'), 'utf8');
  const tools = [...text.matchAll(/^(?:tool |\t)([\w.-]+\/\S+)$/gm)].map(([, path]) => path!);
  const required = [...text.matchAll(/^(?:require |\t)(\S+) v(\S+)(?: \/\/.*)?$/gm)];
  const own = required.find(([, path]) => tools.some((tool) => tool === path || tool.startsWith(`${path}/`)));
  if (own === undefined) throw new Error(`cannot read ${join(folder, 'go.mod')}: it requires no module with its tools`);
  const version = PEER_MODULES[name].release(own[2]!);
  return { name, folder, tools: tools.map((path) => basename(path)), version };
}

/** Returns the folder that a module's programs are built into. */
export function builtFolder({ name, version }: PeerModule, peersDir: string = repositoryPeersDir): string {
  return join(peersDir, `${name}-${version}`);
}

/** Returns whether the kernel of this machine can run a file: true unless it is an ELF file of another architecture. */
export function isForThisMachine(path: string): boolean {
  const file = openSync(path, 'r');
  try {
    const header = Buffer.alloc(ELF_HEADER_BYTES);
    readSync(file, header);
    if (header.toString('latin1', 0, ELF_MAGIC.length) !== ELF_MAGIC) return true;
    return header.readUInt16LE(E_MACHINE_OFFSET) === ELF_MACHINES[process.arch];
  } finally {
    closeSync(file);
  }
}

/** Reads the record of a folder; undefined when there is none, or binaries are missing, cut short or of another architecture. */
export function readBuilt(folder: string): PeerRecord | undefined {
  try {
    const record = JSON.parse(readFileSync(join(folder, RECORD), 'utf8')) as PeerRecord;
    const isWhole = Object.entries(record.sizes).every(([name, size]) => {
      const path = join(folder, name);
      return statSync(path).size === size && isForThisMachine(path);
    });
    return isWhole ? record : undefined;
  } catch {
    return undefined;
  }
}
