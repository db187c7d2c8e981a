import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const { ARM64_DEBIAN: tree, ARM64_PACKAGE: packageFile } = process.env;
if (tree === undefined || packageFile === undefined) throw new Error('these tests are run by npm run test:arm64');

const BOOT_MS = 180_000;
const PROGRAMS = ['collector', 'uploader'] as const;
/** What qemu's user mode cannot do: a user namespace for a process of several threads, which its own are. */
const NOT_EMULATED = '[Service]\nPrivateUsers=no\nLoadCredential=\n';

let server: VictoriaMetrics;
let folder: string;
let nspawn: ChildProcess;

/** Runs a line of shell in the container, as its root. */
function run(script: string): { readonly code: number | null; readonly output: string } {
  const leader = readFileSync(`/proc/${nspawn.pid}/task/${nspawn.pid}/children`, 'utf8').trim();
  if (leader === '') return { code: null, output: 'the container has no process' };
  const args = ['-t', leader, '-U', '-m', '-u', '-i', '-p', 'sh', '-c', script];
  const { status, stdout, stderr } = spawnSync('nsenter', args, {
    encoding: 'utf8',
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C.UTF-8' },
  });
  return { code: status, output: `${stdout}${stderr}`.trim() };
}

function output(script: string): string {
  const { code, output: text } = run(script);
  if (code !== 0) throw new Error(`${script}\nended with ${code}: ${text}`);
  return text;
}

const database = (): string => join(folder, 'var/lib/thugshells/metrics.db');

beforeAll(async () => {
  server = await startVictoriaMetrics();
  folder = mkdtempSync(`${tree}-`);
  spawnSync('cp', ['-a', `${tree}/.`, folder]);
  copyFileSync(packageFile, join(folder, 'root/thugshells.deb'));
  mkdirSync(join(folder, 'etc/thugshells'));
  const variables = {
    REMOTE_URL: `${server.url}/api/v1/import`,
    DEVICE_ID: 'board-1',
    INTERVAL: '1s',
    UPLOAD_INTERVAL: '1s',
    HEALTH_PORT: '0',
    REMOTE_TIMEOUT: '20s',
  };
  writeFileSync(
    join(folder, 'etc/thugshells/thugshells.env'),
    Object.entries(variables)
      .map(([name, value]) => `THUGSHELLS_${name}=${value}\n`)
      .join(''),
  );
  for (const program of process.arch === 'arm64' ? [] : PROGRAMS) {
    const dropIns = join(folder, `etc/systemd/system/thugshells-${program}.service.d`);
    mkdirSync(dropIns, { recursive: true });
    writeFileSync(join(dropIns, 'emulator.conf'), NOT_EMULATED);
  }
  const flags = [
    '--quiet',
    '-D',
    folder,
    `--machine=${basename(folder)}`,
    '--private-users=0:65536',
    '--register=no',
    '--keep-unit',
    '--console=pipe',
  ];
  nspawn = spawn('systemd-nspawn', [...flags, '/emulator/init'], { stdio: 'ignore' });
  await until(
    'systemd has started what it starts',
    () => /^(running|degraded)$/.test(run('systemctl is-system-running').output),
    BOOT_MS,
  );
}, 2 * BOOT_MS);

afterAll(async () => {
  const ended = new Promise((resolve) => nspawn.once('exit', resolve));
  nspawn.kill('SIGTERM');
  await until('the container has ended', () => nspawn.exitCode !== null || nspawn.signalCode !== null, 30_000).catch(
    () => nspawn.kill('SIGKILL'),
  );
  await ended;
  rmSync(folder, { recursive: true });
  rmSync(join(dirname(folder), `.#${basename(folder)}.lck`), { force: true });
  await server.stop();
}, 60_000);

test(
  'a booted Debian for arm64: the package installs, both units become ready and deliver every sample, once, across a restart',
  async () => {
    expect(output('uname -m')).toBe('aarch64');
    // No package is configured here, so dpkg knows of none.
    output('dpkg --force-depends --force-confold -i /root/thugshells.deb');
    output('systemctl start thugshells-collector thugshells-uploader');
    for (const program of PROGRAMS)
      expect(output(`systemctl show -p Type,ActiveState,SubState thugshells-${program}`).split('\n').sort()).toEqual([
        'ActiveState=active',
        'SubState=running',
        'Type=notify',
      ]);
    expect(output('systemctl show -p StatusText thugshells-collector')).toBe('StatusText=collecting');
    await until('samples are delivered', () => readBooks(database()).delivered > 200, BOOT_MS);
    output('systemctl restart thugshells-uploader');
    const { delivered } = readBooks(database());
    await until('it delivers again', () => readBooks(database()).delivered > delivered + 100, BOOT_MS);
    output('systemctl stop thugshells-collector');
    await until('nothing is pending', () => readBooks(database()).pending === 0, BOOT_MS);
    output('systemctl stop thugshells-uploader');
    const stored = readStoredPoints(database());
    expect(stored.length).toBeGreaterThan(300);
    expect(findDifferences(stored, toStoredPoints(await server.export()))).toEqual([]);
  },
  4 * BOOT_MS,
);
