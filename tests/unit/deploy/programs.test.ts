import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { buildPeers, findGo } from '../../peers/build.ts';
import { builtFolder, isForThisMachine, readPeerModule, RECORD } from '../../../deploy/scripts/peer-modules.ts';
import { findProgram, findProgramAtHand, type ProgramName } from '../../../deploy/scripts/programs.ts';

/** Below var/, since commands are run from it, and the folder for temporary files may be mounted noexec. */
const varDir = join(import.meta.dirname, '../../../var');
let dir: string;

beforeEach(() => {
  mkdirSync(varDir, { recursive: true });
  dir = mkdtempSync(join(varDir, 'programs-'));
});

afterEach(() => rmSync(dir, { recursive: true, force: true }));

function program(
  path: string,
  { mode = 0o755, content = '#!/bin/sh\n' }: { mode?: number; content?: string | Buffer } = {},
): string {
  const whole = join(dir, path);
  mkdirSync(dirname(whole), { recursive: true });
  writeFileSync(whole, content, { mode });
  return whole;
}

/** The beginning of an ELF file of the architecture that this machine is not. */
function foreignBinary(): Buffer {
  const header = Buffer.alloc(64);
  header.write('\x7fELF', 'latin1');
  header.writeUInt16LE(process.arch === 'x64' ? 183 : 62, 18);
  return header;
}

const victoriaMetrics = readPeerModule('victoria-metrics');
const peersDir = (): string => join(dir, 'peers');

/** A folder as npm run peers leaves it. */
function built(content: string | Buffer = '#!/bin/sh\n'): string {
  const folder = builtFolder(victoriaMetrics, peersDir());
  for (const tool of victoriaMetrics.tools) program(join(folder.slice(dir.length), tool), { content });
  const sizes = Object.fromEntries(victoriaMetrics.tools.map((tool) => [tool, content.length]));
  writeFileSync(join(folder, RECORD), JSON.stringify({ fingerprint: '', sizes }));
  return join(folder, 'victoria-metrics');
}

function atHand(env: Record<string, string> = {}, name: ProgramName = 'victoria-metrics'): Promise<string | undefined> {
  return findProgramAtHand(name, { env, toolsDir: join(dir, 'tools'), peersDir: peersDir() });
}

describe('finding a program of others', () => {
  test('takes the one that is named, then one that npm run peers built, then the PATH, then one unpacked earlier', async () => {
    expect(await atHand()).toBeUndefined();
    const unpacked = program('tools/victoria-metrics/usr/bin/victoria-metrics');
    expect(await atHand({ PATH: join(dir, 'bin') })).toBe(unpacked);
    const released = program('bin/victoria-metrics-prod');
    expect(await atHand({ PATH: join(dir, 'bin') })).toBe(released);
    const peer = built();
    expect(await atHand({ PATH: join(dir, 'bin') })).toBe(peer);
    const named = program('other/vm');
    expect(await atHand({ PATH: join(dir, 'bin'), VICTORIA_METRICS_BIN: named })).toBe(named);
  });

  test('passes over what npm run peers built when Debian’s generation is asked for', async () => {
    built();
    const onPath = program('bin/victoria-metrics');
    expect(await atHand({ PATH: join(dir, 'bin'), PEERS: 'debian' })).toBe(onPath);
  });

  test('takes vmagent from beside a VictoriaMetrics that is named, and from elsewhere when it is not there', async () => {
    const named = program('other/victoria-metrics');
    const onPath = program('bin/vmagent');
    const env = { PATH: join(dir, 'bin'), VICTORIA_METRICS_BIN: named };
    expect(await atHand(env, 'vmagent')).toBe(onPath);
    const beside = program('other/vmagent');
    expect(await atHand(env, 'vmagent')).toBe(beside);
  });

  test('passes over what cannot be run: no permission, a folder, another architecture', async () => {
    program('bin/victoria-metrics', { mode: 0o644 });
    mkdirSync(join(dir, 'bin2', 'victoria-metrics'), { recursive: true });
    program('bin3/victoria-metrics', { content: foreignBinary() });
    expect(await atHand({ PATH: ['bin', 'bin2', 'bin3'].map((name) => join(dir, name)).join(':') })).toBeUndefined();
  });

  test.each([
    ['of another architecture', () => built(foreignBinary())],
    ['that was cut short', () => writeFileSync(built(), '')],
    ['without a record', () => rmSync(join(dirname(built()), RECORD))],
  ])('passes over a built one %s', async (_, make) => {
    make();
    const onPath = program('bin/victoria-metrics');
    expect(await atHand({ PATH: join(dir, 'bin') })).toBe(onPath);
  });

  test('fails for a named one that cannot be run, whatever else there is', async () => {
    const onPath = program('bin/victoria-metrics');
    const env = { PATH: dirname(onPath), VICTORIA_METRICS_BIN: join(dir, 'missing') };
    await expect(atHand(env)).rejects.toThrow(/VICTORIA_METRICS_BIN names .*missing/);
  });

  test('names the command that gets one where none can be unpacked', async () => {
    // A folder that cannot be made, below a file.
    const file = program('file');
    const where = { env: {}, toolsDir: join(file, 'tools'), peersDir: peersDir() };
    await expect(findProgram('victoria-metrics', where)).rejects.toThrow(
      /^cannot find victoria-metrics: run: .*victoria-?metrics/,
    );
  });
});

test('an ELF file of this machine is recognized as its own', () => {
  expect(isForThisMachine(process.execPath)).toBe(true);
});

test('the modules pin the programs that are compared with, with the version of their release', () => {
  expect(victoriaMetrics.tools).toEqual(['victoria-metrics', 'vmagent', 'vmalert', 'vmauth']);
  expect(readPeerModule('node-exporter').tools).toEqual(['node_exporter']);
  const prometheus = readPeerModule('prometheus');
  expect(prometheus.tools).toEqual(['prometheus']);
  expect(prometheus.version).toMatch(/^3\.\d+\.\d+$/);
});

describe('npm run peers: Go', () => {
  const goOf = (version: string): string =>
    program(`go-${version}/go`, { content: `#!/bin/sh\necho go version go${version} linux/amd64\n` });
  const find = (...versions: readonly string[]): string =>
    findGo({
      env: { PATH: versions.map((version) => dirname(goOf(version))).join(':') },
      goFolder: join(dir, 'nowhere'),
    });

  test('is reported missing with what to install', () => {
    expect(() => find()).toThrow(
      'cannot build peers: Go is not installed; install Go 1.24 or later from https://go.dev/dl',
    );
  });

  test('before 1.24 is refused with its path and version', () => {
    expect(() => find('1.19.8')).toThrow(
      /^cannot build peers: \S+\/go-1\.19\.8\/go is Go 1\.19, which does not know tool lines in go\.mod; install Go 1\.24/,
    );
  });

  test('of a usable version is taken from behind an older one', () => {
    expect(find('1.19.8', '1.24.0')).toBe(join(dir, 'go-1.24.0/go'));
  });
});

describe('npm run peers: builds', () => {
  /** A Go that builds what a shell script says: its arguments are go build's, of which the folder follows -o. */
  function fakeGo(script: string): () => string {
    const path = program('bin/go', {
      content: `#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done\nfolder=$2\necho run >>"${dir}/runs"\n${script}\n`,
    });
    return () => path;
  }

  const BUILDS_ALL =
    'for tool in victoria-metrics vmagent vmalert vmauth prometheus node_exporter; do echo "#!/bin/sh" >"$folder$tool"; chmod +x "$folder$tool"; done';
  const runs = (): number => readFileSync(join(dir, 'runs'), 'utf8').trim().split('\n').length;

  async function build(script = BUILDS_ALL): Promise<string> {
    let written = '';
    await buildPeers({ peersDir: peersDir(), go: fakeGo(script), write: (text) => (written += text) });
    return written;
  }

  test('builds each module once, with a line each', async () => {
    expect(await build()).toMatch(
      /^victoria-metrics [\d.]+: built in \d+ s\nprometheus 3[\d.]+: built in \d+ s\nnode-exporter [\d.]+: built in \d+ s\n$/,
    );
    expect(await build()).toMatch(/^(?:\S+ [\d.]+: up to date\n){3}$/);
    expect(runs()).toBe(3);
    expect(await atHand()).toBe(join(builtFolder(victoriaMetrics, peersDir()), 'victoria-metrics'));
  });

  test.each([
    ['a binary is cut short', (binary: string) => writeFileSync(binary, '')],
    [
      'a binary is of another architecture',
      (binary: string) => writeFileSync(binary, Buffer.concat([foreignBinary()]).subarray(0, statSync(binary).size)),
    ],
    ['the record is missing', (binary: string) => rmSync(join(dirname(binary), RECORD))],
  ])('builds a module again when %s', async (_, damage) => {
    await build();
    damage(join(builtFolder(victoriaMetrics, peersDir()), 'vmauth'));
    expect(await build()).toMatch(/^victoria-metrics [\d.]+: built in/);
    expect(runs()).toBe(4);
  });

  test('removes what an interrupted build left, and older versions', async () => {
    // No process has this number: it is above the kernel's limit (PID_MAX_LIMIT).
    for (const name of ['building-4194305-x', 'victoria-metrics-1.150.0', `building-${process.pid}-y`])
      program(`peers/${name}/vmagent`);
    await build();
    expect(readdirSync(peersDir()).sort()).toEqual([
      `building-${process.pid}-y`,
      expect.stringMatching(/^node-exporter-/),
      expect.stringMatching(/^prometheus-/),
      `victoria-metrics-${victoriaMetrics.version}`,
    ]);
  });

  test.each([
    [
      'module lookup disabled by GOPROXY=off',
      /no access to the Go module proxy \(go: .*GOPROXY=off\); check the network, or set GOPROXY/,
    ],
    [
      'Get "http://127.0.0.1:1/x": dial tcp 127.0.0.1:1: connect: connection refused',
      /no access to the Go module proxy/,
    ],
    [
      'undefined: thing',
      /go build failed \(exit code 1\): go: undefined: thing; run: cd tests\/peers\/victoria-metrics && go build tool/,
    ],
  ])('reports "%s" in one line, and leaves nothing half built', async (message, expected) => {
    await expect(build(`echo 'go: ${message}' >&2; echo half >"$folder/vmagent"; exit 1`)).rejects.toThrow(expected);
    expect(readdirSync(peersDir())).toEqual([]);
  });
});
