import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { missingRequirements, SUITES } from '../../support/suite-packages.ts';

/** Below var/, since commands are run from it, and the folder for temporary files may be mounted noexec. */
const root = join(import.meta.dirname, '../../..');
let folder: string;

beforeEach(() => {
  mkdirSync(join(root, 'var'), { recursive: true });
  folder = mkdtempSync(join(root, 'var', 'suite-packages-'));
  mkdirSync(join(folder, 'bin'));
});

afterEach(() => rmSync(folder, { recursive: true }));

function command(name: string, script = ''): void {
  writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${script}`, { mode: 0o755 });
}

const packagesMissing = (env: Readonly<Record<string, string>> = {}) =>
  missingRequirements('test', { env: { PATH: join(folder, 'bin'), ...env }, toolsDir: join(folder, 'tools') }).map(
    (requirement) => requirement.package,
  );

test('missing packages: those of which a command is not on the PATH, in none of its names', () => {
  expect(packagesMissing()).toEqual(expect.arrayContaining(['chromium', 'openssl', 'victoria-metrics', 'util-linux']));
  for (const name of ['google-chrome', 'openssl', 'victoria-metrics-prod', 'vmagent', 'vmalert', 'unshare'])
    command(name);
  expect(packagesMissing()).toEqual(expect.arrayContaining(['victoria-metrics', 'util-linux']));
  for (const name of ['vmauth', 'setpriv']) command(name);
  expect(packagesMissing()).not.toEqual(expect.arrayContaining(['chromium']));
  for (const name of ['chromium', 'openssl', 'victoria-metrics', 'util-linux'])
    expect(packagesMissing()).not.toContain(name);
});

test('missing packages: none in the place of which a variable names a file', () => {
  expect(packagesMissing({ CHROMIUM_BIN: '/opt/chrome', VICTORIA_METRICS_BIN: '' })).not.toContain('chromium');
  expect(packagesMissing({ VICTORIA_METRICS_BIN: '' })).toContain('victoria-metrics');
});

test('missing packages: none that has been unpacked', () => {
  mkdirSync(join(folder, 'tools/prometheus/usr/bin'), { recursive: true });
  writeFileSync(join(folder, 'tools/prometheus/usr/bin/prometheus'), '', { mode: 0o755 });
  expect(packagesMissing()).not.toContain('prometheus');
});

describe('npm test: where Debian packages are missing', () => {
  /** Everything but OpenSSL is there; commands that are to be found are in one folder. */
  beforeEach(() => {
    const commands = SUITES['test'].requirements.flatMap((requirement) => requirement.commands);
    for (const name of commands.filter((each) => each !== 'openssl')) command(name.split('|')[0]!);
    command('dpkg');
  });

  /** Prepares for a suite as a user; apt-get is a script that leaves its arguments in a file. */
  function prepare(suite: string, uid: number) {
    const script = `process.getuid = () => ${uid}; const { prepareMachineOrExit } = await import('${pathToFileURL(join(root, 'tests/support/prepare-machine.mjs')).href}'); await prepareMachineOrExit('${suite}');`;
    const env = { PATH: join(folder, 'bin'), FOLDER: folder };
    const { status, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
      encoding: 'utf8',
      env,
    });
    return { status, lines: stdout.trim().split('\n') };
  }

  const aptGet = (script: string): void =>
    command('apt-get', `[ "$1" = --version ] && exit 0\necho "$5 $6 $7" >>"$FOLDER/calls"\n${script}`);
  const calls = (): string[] => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n');

  test('installs them as root and says which', () => {
    aptGet('printf "#!/bin/sh\n" >"$FOLDER/bin/openssl"; /bin/chmod +x "$FOLDER/bin/openssl"');
    expect(prepare('test', 0)).toEqual({ status: 0, lines: ['installing Debian packages: openssl'] });
    expect(calls()).toEqual(['install --no-install-recommends openssl']);
  });

  test('fetches package lists if there are none, and reports what apt-get cannot install', () => {
    aptGet('exit 100');
    const failure =
      'cannot install Debian packages: apt-get failed (exit code 100); check the network and /etc/apt/sources.list.d, then run: apt-get update && apt-get install openssl';
    expect(prepare('test', 0)).toEqual({
      status: 1,
      lines: ['installing Debian packages: openssl', `failed: ${failure}`, '', '0 passed, 1 failed'],
    });
    expect(calls().map((call) => call.trim())).toEqual([
      'install --no-install-recommends openssl',
      'update',
      'install --no-install-recommends openssl',
    ]);
  });

  test('names the one command that gets them without root, before any test', () => {
    aptGet('');
    rmSync(join(folder, 'bin/chromium'));
    const { status, lines } = prepare('test', 1000);
    expect(status).toBe(1);
    expect(lines).toEqual([
      'failed: cannot run test: chromium, openssl not found; run: sudo apt-get install chromium openssl',
      '',
      '0 passed, 1 failed',
    ]);
  });

  test('names the commands where this is not Debian', () => {
    const { status, lines } = prepare('test', 0);
    expect(status).toBe(1);
    expect(lines[0]).toBe('failed: cannot run test: openssl not found; install what Debian packages as openssl');
  });

  test.each(['test:systemd', 'test:containers'])('fails %s without root, which it needs', (suite) => {
    expect(prepare(suite, 1000)).toEqual({
      status: 1,
      lines: [`failed: cannot run ${suite}: it needs root; run: sudo npm run ${suite}`, '', '0 passed, 1 failed'],
    });
  });
});

describe('.ci/run', () => {
  /** Runs it with an npm that is a script of the test's, to which each suite is $3. */
  function run(npm: string) {
    mkdirSync(join(folder, '.ci'));
    writeFileSync(join(folder, '.ci/run'), readFileSync(join(root, '.ci/run')), { mode: 0o755 });
    command('npm', npm);
    const { status, stdout } = spawnSync('bash', [join(folder, '.ci/run')], {
      encoding: 'utf8',
      env: { PATH: `${join(folder, 'bin')}:${process.env['PATH']}` },
    });
    return { status, lines: stdout.trim().split('\n') };
  }

  const suites = /suites=\(([^)]*)\)/
    .exec(readFileSync(join(root, '.ci/run'), 'utf8'))![1]!
    .trim()
    .split(/\s+/);

  test('runs npm test and every longer suite, and adds up their counts', () => {
    const { status, lines } = run('echo "$3"; echo "2 passed, 0 failed"');
    expect(status).toBe(0);
    expect(lines.filter((line) => !line.includes(' passed') && line !== '')).toEqual(['peers', ...suites]);
    expect(suites).toEqual(expect.arrayContaining(Object.keys(SUITES)));
    expect(lines.at(-1)).toBe(`${2 * suites.length} passed, 0 failed`);
  });

  test('fails when a peer cannot be built, and still runs every suite', () => {
    const { status, lines } = run(
      '[ "$3" = peers ] && { echo "failed: cannot build peers: Go is not installed"; exit 1; }; echo "2 passed, 0 failed"',
    );
    expect(status).toBe(1);
    expect(lines.slice(-3)).toEqual([
      'failed: cannot build peers: Go is not installed',
      'failed: npm run peers ended with exit code 1',
      `${2 * suites.length} passed, 1 failed`,
    ]);
  });

  test('repeats the tests that failed', () => {
    const { status, lines } = run(
      '[ "$3" = test ] || { echo "1 passed, 0 failed"; exit 0; }; echo "failed: sums add up"; echo "1 passed, 1 failed"; exit 1',
    );
    expect(status).toBe(1);
    expect(lines.slice(-2)).toEqual(['failed: sums add up', `${suites.length} passed, 1 failed`]);
  });

  test.each([
    ['that says nothing of tests', 'exit 0', 'exit code 0; it counted nothing'],
    ['that ran none', 'echo "0 passed, 0 failed"; exit 0', 'exit code 0; it counted 0 0'],
    ['that fails after its tests', 'echo "3 passed, 0 failed"; exit 7', 'exit code 7; it counted 3 0'],
  ])('fails for a suite %s', (_what, last, reason) => {
    const { status, lines } = run(`[ "$3" = test:systemd ] || { echo "1 passed, 0 failed"; exit 0; }; ${last}`);
    expect(status).toBe(1);
    expect(lines.at(-2)).toBe(`failed: npm run test:systemd ended with ${reason}`);
    expect(lines.at(-1)).toMatch(/ passed, 1 failed$/);
  });
});
