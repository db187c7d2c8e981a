/**
 * npm run peers: builds the programs that go.mod files in this folder pin into var/peers, unless they are there. A
 * folder appears there whole or not at all, whenever a build is interrupted. Needs Go; ends with 1 if one cannot be built.
 */
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { delimiter, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

import { SetupError } from '../../deploy/scripts/runtime.mjs';
import {
  builtFolder,
  PEER_MODULES,
  readBuilt,
  readPeerModule,
  RECORD,
  repositoryPeersDir,
  type PeerModule,
  type PeerName,
} from '../../deploy/scripts/peer-modules.ts';

/** The first that knows `tool` lines. */
const OLDEST_GO = [1, 24] as const;
const GET_GO = `install Go ${OLDEST_GO.join('.')} or later from https://go.dev/dl`;

/** Where Go's own installer puts it, which need not be on the PATH. */
const GO_FOLDER = '/usr/local/go/bin';

/** What Go reports when it cannot get a module. */
const NO_NETWORK =
  /GOPROXY=off|dial tcp|no such host|connection refused|i\/o timeout|TLS handshake|proxyconnect|network is unreachable|Client\.Timeout/;

const UNFINISHED = /^building-(\d+)-/;

/** Where to search for Go; by default this process's environment and Go's own folder. */
interface GoSearch {
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly goFolder?: string;
}

/** What a run of Go came to. */
interface GoResult {
  /** The exit code; null after a signal. */
  readonly status: number | null;
  readonly output: string;
}

export interface BuildPeersOptions {
  readonly peersDir?: string;
  readonly modulesFolder?: string;
  /** Finds Go; called only if something is to be built. */
  readonly go?: () => string;
  readonly write?: (text: string) => void;
}

/**
 * Finds a Go that knows `tool` lines. Returns its path.
 *
 * @throws SetupError when there is none, or only an older one
 */
export function findGo({ env = process.env, goFolder = GO_FOLDER }: GoSearch = {}): string {
  const folders = [...(env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== ''), goFolder];
  const found = folders.map((folder) => join(folder, 'go')).filter(isExecutable);
  const versions = found.map((path) => ({ path, version: readGoVersion(path) }));
  const [first] = versions;
  if (first === undefined) throw new SetupError(`cannot build peers: Go is not installed; ${GET_GO}`);
  const usable = versions.find(
    ({ version: [major, minor] }) => major > OLDEST_GO[0] || (major === OLDEST_GO[0] && minor >= OLDEST_GO[1]),
  );
  if (usable !== undefined) return usable.path;
  throw new SetupError(
    `cannot build peers: ${first.path} is Go ${first.version.join('.')}, which does not know tool lines in go.mod; ${GET_GO}`,
  );
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
}

/** Returns the version of a Go, read outside of any module: within one, Go may run the newer Go that the module names. */
function readGoVersion(go: string): [major: number, minor: number] {
  const { stdout } = spawnSync(go, ['version'], { cwd: '/', encoding: 'utf8' });
  // It is null for a file that cannot be run.
  const [, major, minor] = /go(\d+)\.(\d+)/.exec(String(stdout)) ?? [];
  return [Number(major ?? 0), Number(minor ?? 0)];
}

/** Returns a hash of what binaries depend on besides their version. */
function fingerprint({ name, folder }: PeerModule): string {
  const { tags } = PEER_MODULES[name];
  const texts = ['go.mod', 'go.sum'].map((file) => readFileSync(join(folder, file), 'utf8'));
  return createHash('sha256')
    .update(JSON.stringify([tags, ...texts]))
    .digest('hex');
}

/** Removes what builds left that were interrupted, and other versions of a module. */
function removeLeftovers(peersDir: string, module: PeerModule): void {
  const isRunning = (pid: string): boolean => existsSync(`/proc/${pid}`);
  for (const entry of readdirSync(peersDir)) {
    const builder = UNFINISHED.exec(entry)?.[1];
    const isUnfinished = builder !== undefined && !isRunning(builder);
    const isOld = entry.startsWith(`${module.name}-`) && join(peersDir, entry) !== builtFolder(module, peersDir);
    if (isUnfinished || isOld) rmSync(join(peersDir, entry), { recursive: true, force: true });
  }
}

/** Runs `go build` for the tools of a module; resolves when it ends. */
async function runGoBuild(go: string, module: PeerModule, folder: string): Promise<GoResult> {
  const { tags, versionFlag } = PEER_MODULES[module.name];
  const args = [
    'build',
    '-buildvcs=false',
    '-tags',
    tags,
    '-ldflags',
    `-s -w ${versionFlag(module.version)}`,
    '-o',
    `${folder}/`,
    'tool',
  ];
  // GOFLAGS and a workspace of the user's own are for the user's modules.
  const env = { ...process.env, GOFLAGS: '-mod=readonly', GOWORK: 'off' };
  const child = spawn(go, args, { cwd: module.folder, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part: Buffer) => (output += part.toString()));
  const status = await new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      output += error.message;
      resolve(null);
    });
    child.once('close', resolve);
  });
  return { status, output };
}

function toSetupError({ name, version }: PeerModule, { status, output }: GoResult): SetupError {
  const lines = output
    .trim()
    .split('\n')
    .filter((line) => !/^go: downloading /.test(line));
  const cause = lines.find((line) => NO_NETWORK.test(line));
  if (cause !== undefined) {
    return new SetupError(
      `cannot build ${name} ${version}: no access to the Go module proxy (${cause.trim()}); check the network, or set GOPROXY to a proxy that can be reached`,
    );
  }
  return new SetupError(
    `cannot build ${name} ${version}: go build failed (exit code ${status}): ${lines.slice(-5).join('; ')}; run: cd tests/peers/${name} && go build tool`,
  );
}

/** Builds a module beside its place, and renames it there. */
async function buildPeer(go: string, module: PeerModule, peersDir: string): Promise<void> {
  mkdirSync(peersDir, { recursive: true });
  removeLeftovers(peersDir, module);
  const work = mkdtempSync(join(peersDir, `building-${process.pid}-`));
  try {
    const result = await runGoBuild(go, module, work);
    if (result.status !== 0) throw toSetupError(module, result);
    const sizes = Object.fromEntries(module.tools.map((tool) => [tool, statSync(join(work, tool)).size]));
    writeFileSync(join(work, RECORD), JSON.stringify({ fingerprint: fingerprint(module), sizes }));
    const folder = builtFolder(module, peersDir);
    rmSync(folder, { recursive: true, force: true });
    renameSync(work, folder);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/**
 * Builds every module that is stale, and reports one line each.
 *
 * @throws SetupError with the cause and what to do
 */
export async function buildPeers({
  peersDir = repositoryPeersDir,
  modulesFolder,
  go = findGo,
  write = (text) => process.stdout.write(text),
}: BuildPeersOptions = {}): Promise<void> {
  for (const name of Object.keys(PEER_MODULES) as PeerName[]) {
    const module = readPeerModule(name, modulesFolder);
    write(`${name} ${module.version}: `);
    if (readBuilt(builtFolder(module, peersDir))?.fingerprint === fingerprint(module)) {
      write('up to date\n');
      continue;
    }
    const startedAt = performance.now();
    try {
      await buildPeer(go(), module, peersDir);
    } catch (error) {
      write('failed\n');
      throw error;
    }
    write(`built in ${Math.round((performance.now() - startedAt) / 1000)} s\n`);
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    await buildPeers();
  } catch (error) {
    if (!(error instanceof SetupError)) throw error;
    console.log(`failed: ${error.message}`);
    process.exit(1);
  }
}
