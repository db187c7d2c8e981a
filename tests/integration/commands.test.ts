import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION } from '@thugshells/shared/database/schema-version.ts';

import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';

let folder: string;
let database: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'commands-'));
  database = join(folder, 'metrics.db');
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

describe.each(['collector', 'uploader'] as const)('commands: %s', (program) => {
  test('prints its commands with --help', async () => {
    const { code, stdout } = await runToEnd(program, {}, ['--help']);
    expect(code).toBe(0);
    expect(stdout).toContain('check-config');
  });

  test('exits with 2 for a command or an option that it does not know', async () => {
    for (const args of [['colect'], ['check-config', '--loud']]) {
      const { code, stderr } = await runToEnd(program, {}, args);
      expect(code).toBe(2);
      expect(stderr).toContain(args.at(-1));
    }
  });

  test('check-config lists every problem with its value and exits with 78', async () => {
    const { code, stderr } = await runToEnd(
      program,
      { THUGSHELLS_LOG_LEVEL: 'loud', THUGSHELLS_LOG_FORMAT: 'xml', THUGSHELLS_UPLOAD_INTERVALL: '30s' },
      ['check-config'],
    );
    expect(code).toBe(78);
    expect(stderr).toContain('THUGSHELLS_LOG_LEVEL=loud');
    expect(stderr).toContain('THUGSHELLS_LOG_FORMAT=xml');
    expect(stderr).toContain(
      'THUGSHELLS_UPLOAD_INTERVALL is not a variable of this program; did you mean THUGSHELLS_UPLOAD_INTERVAL?',
    );
  });

  test('check-config prints the source of each value and no credentials', async () => {
    const { code, stdout } = await runToEnd(
      program,
      {
        THUGSHELLS_DB_PATH: database,
        THUGSHELLS_REMOTE_URL: 'http://me:secret@127.0.0.1:1/api/v1/import?token=hidden',
      },
      ['check-config'],
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(new RegExp(`^THUGSHELLS_DEVICE_ID=${hostname()} +# default$`, 'm'));
    expect(stdout).toMatch(/^THUGSHELLS_DB_PATH=.*metrics\.db +# environment$/m);
    expect(stdout).not.toMatch(/secret|hidden/);
    expect(existsSync(database)).toBe(false);
  });

  test('check-config names the mistakes in the variables of either program, each once, and exits with 78', async () => {
    const mistakes = {
      THUGSHELLS_LOG_LEVEL: 'loud',
      THUGSHELLS_CPU_INTERVAL: '10',
      THUGSHELLS_REMOTE_URL: 'vm:8428/api/v1/import?token=hidden',
      THUGSHELLS_UPLOAD_INTERVAL: 'often',
    };
    const { code, stderr } = await runToEnd(program, mistakes, ['check-config']);
    expect(code).toBe(78);
    for (const name of Object.keys(mistakes)) expect(stderr.split(`${name}=`)).toHaveLength(2);
    expect(stderr).not.toContain('hidden');
    const other = { THUGSHELLS_REMOTE_PROTOCOL: 'remote-write', THUGSHELLS_REMOTE_URL: 'http://vm:8428/api/v1/import' };
    expect((await runToEnd(program, other, ['check-config'])).stderr).toContain('accepts JSON lines');
  });

  test('check-config warns of a path that no known receiver has, and exits with 0', async () => {
    const url = 'http://vm:8428/api/v1/imporrt?extra_label=site=berlin&key=hidden';
    const device = { THUGSHELLS_DEVICE_ID: 'board-1' };
    const { code, stderr, stdout } = await runToEnd(program, { ...device, THUGSHELLS_REMOTE_URL: url }, [
      'check-config',
    ]);
    expect(code).toBe(0);
    expect(stderr).toBe(
      'THUGSHELLS_REMOTE_URL=http://vm:8428/api/v1/imporrt?extra_label=site=berlin&key=***: /api/v1/imporrt is none of the known write paths, such as /api/v1/import; run: thugshells-uploader test',
    );
    expect(stdout).not.toContain('hidden');
    expect((await runToEnd(program, device, ['check-config'])).stderr).toBe('');
  });

  test('exits with 78 at start for an invalid value (A-45)', async () => {
    const { code, stderr } = await runToEnd(
      program,
      { THUGSHELLS_DB_PATH: database, THUGSHELLS_LOG_LEVEL: 'loud' },
      [],
    );
    expect(code).toBe(78);
    expect(stderr).toContain('THUGSHELLS_LOG_LEVEL=loud');
  });
});

test('commands: collector check-config accepts the variables of its unit, which gets no address of the receiver', async () => {
  const variables = { THUGSHELLS_REMOTE_PROTOCOL: 'remote-write', THUGSHELLS_DEVICE_ID: 'board-1' };
  const { code, stderr } = await runToEnd('collector', variables, ['check-config']);
  expect([code, stderr]).toEqual([0, '']);
});

test('commands: migrate refuses the database of a later program with 78 and names both versions', async () => {
  await runToEnd('collector', { THUGSHELLS_DB_PATH: database }, ['migrate']);
  const later = openDatabase(database);
  later.exec('INSERT INTO schema_version (version, applied_at) VALUES (99, 0)');
  later.close();
  const { code, stderr } = await runToEnd('collector', { THUGSHELLS_DB_PATH: database }, ['migrate']);
  expect([code, stderr]).toEqual([78, expect.stringMatching(new RegExp(`version 99.*up to ${SCHEMA_VERSION}`))]);
  expect(existsSync(`${database}.schema-99`)).toBe(false);
});

test.each([[], ['once']])(
  'commands: collector %s exits with 78 if PROC_ROOT is no proc file system',
  async (...args: string[]) => {
    const { code, stdout, stderr } = await runToEnd(
      'collector',
      { THUGSHELLS_DB_PATH: database, THUGSHELLS_PROC_ROOT: folder },
      args,
    );
    expect(code).toBe(78);
    expect(stdout + stderr).toContain('THUGSHELLS_PROC_ROOT');
    expect(existsSync(database)).toBe(false);
  },
);

test('commands: an unknown variable is logged as one warning, and the program runs', async () => {
  const agent = new AgentProcess('collector', { THUGSHELLS_DB_PATH: database, THUGSHELLS_FUTURE_FEATURE: '1' });
  try {
    await until('it collects', () => existsSync(database) && readBooks(database).collected > 0);
    expect(agent.told('unknown variable')).toHaveLength(1);
  } finally {
    expect(await agent.stop()).toEqual({ code: 0, signal: null });
  }
});

describe('commands: collector once', () => {
  test('prints the samples of this machine as JSON lines and creates no database', async () => {
    const { code, stdout } = await runToEnd('collector', { THUGSHELLS_DB_PATH: database }, ['once']);
    expect(code).toBe(0);
    const lines = stdout
      .split('\n')
      .map((line) => JSON.parse(line) as { metric: Record<string, string>; values: number[] });
    const names = new Set(lines.map(({ metric }) => metric['__name__']));
    for (const name of ['cpu_usage_percent', 'memory_used_bytes', 'disk_read_bytes_per_second'])
      expect(names).toContain(name);
    expect(lines.every(({ metric }) => metric['device_id'] === hostname())).toBe(true);
    expect(existsSync(database)).toBe(false);
  });

  test('labels the samples of the simulated kernel (A-25)', async () => {
    const { code, stdout } = await runToEnd('collector', { THUGSHELLS_KERNEL: 'simulated' }, ['once']);
    expect(code).toBe(0);
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as { metric: Record<string, string> });
    expect(lines.length).toBeGreaterThan(20);
    expect(lines.every(({ metric }) => metric['simulated'] === 'true')).toBe(true);
  });

  test('exits with 1 and names the file when one collector fails, and prints the others', async () => {
    const proc = join(folder, 'proc');
    mkdirSync(proc);
    writeFileSync(join(proc, 'stat'), 'cpu  1 2 three 4\n');
    writeFileSync(join(proc, 'meminfo'), readFileSync('/proc/meminfo'));
    const { code, stdout, stderr } = await runToEnd('collector', { THUGSHELLS_PROC_ROOT: proc }, ['once']);
    expect(code).toBe(1);
    expect(stderr).toContain('cpu: ');
    expect(stdout).toContain('memory_used_bytes');
  });
});

const collectorMain = fileURLToPath(new URL('../../collector/dist/main.js', import.meta.url));

test('commands: collector names the owner of a folder that it cannot write to and exits with 1', () => {
  chmodSync(folder, 0o555);
  // Root may write everywhere: then the program runs without that power.
  const [command, ...args] = [
    ...(process.getuid?.() === 0 ? ['setpriv', '--bounding-set=-dac_override,-dac_read_search'] : []),
    process.execPath,
    collectorMain,
  ];
  const { status, stdout } = spawnSync(command, args, {
    env: { PATH: process.env['PATH'], THUGSHELLS_DB_PATH: database },
    encoding: 'utf8',
    timeout: 30_000,
  });
  expect(status).toBe(1);
  expect(stdout).toContain(`check owner and mode of ${folder} and of the database in it`);
});

test('commands: collector reports that a database path is a folder and exits with 1', async () => {
  mkdirSync(database);
  const { code, stdout } = await runToEnd('collector', { THUGSHELLS_DB_PATH: database }, []);
  expect(code).toBe(1);
  expect(stdout).toContain('set THUGSHELLS_DB_PATH to the database file, not to a folder');
});

test.each(['/proc/thugshells/metrics.db', '/sys/metrics.db'])(
  'commands: collector names the remedy for a database where the kernel creates no files, %s, and exits with 1',
  (path) => {
    // Node.js' recursive mkdir never returns for a folder in /proc, and a program in it hears no SIGTERM.
    const { status, stdout } = spawnSync(process.execPath, [collectorMain], {
      env: { PATH: process.env['PATH'], THUGSHELLS_DB_PATH: path },
      ...{ encoding: 'utf8', timeout: 30_000, killSignal: 'SIGKILL' },
    });
    expect(status).toBe(1);
    expect(stdout).toContain('set THUGSHELLS_DB_PATH to a folder in which files can be created');
  },
  60_000,
);

test('commands: collector migrate creates the database and exits', async () => {
  const { code } = await runToEnd('collector', { THUGSHELLS_DB_PATH: database }, ['migrate']);
  expect(code).toBe(0);
  expect(readBooks(database)).toEqual({ collected: 0, delivered: 0, pending: 0, rejected: 0, dropped: 0 });
});
