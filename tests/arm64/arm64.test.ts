import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { isElf, parseElf } from '../../deploy/scripts/elf.ts';
import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { runToEnd, type AgentProcess, type Runner } from '../support/agent-process.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const { ARM64_FOLDER: unpacked, ARM64_LIBRARIES: libraries } = process.env;
if (unpacked === undefined || libraries === undefined) throw new Error('these tests are run by npm run test:arm64');

const home = join(unpacked, 'usr/lib/thugshells');
/** What a Raspberry Pi 5 has as its kernel's pages. */
const LARGEST_PAGE = 16_384;
/** The flags of the units. */
const FLAGS = ['--max-semi-space-size=1', '--v8-pool-size=1'];
const emulator = process.arch === 'arm64' ? [] : ['qemu-aarch64-static', '-L', libraries];
const arm64: Runner = { command: [...emulator, join(home, 'node'), ...FLAGS] as [string, ...string[]], folder: home };

/** How long both programs run, with a kill of one of them at each fifth of it. */
const RUN_MS = 60_000;

function filesBelow(folder: string): string[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('the package for arm64', () => {
  const machineCode = filesBelow(unpacked)
    .map((file) => ({ file: file.slice(home.length + 1), bytes: readFileSync(file) }))
    .filter(({ bytes }) => isElf(bytes));

  test('holds the runtime, the driver of SQLite and koffi as machine code, and nothing else', () => {
    expect(machineCode.map(({ file }) => file).sort()).toEqual([
      'node',
      'node_modules/@koromix/koffi-linux-arm64/linux_arm64/koffi.node',
      'node_modules/better-sqlite3/prebuilds/linux-arm64.node',
    ]);
  });

  test.each(machineCode)('has segments of $file that a kernel with pages of 16 KiB can load', ({ bytes }) => {
    const { machine, loadAlignments } = parseElf(bytes);
    expect(machine).toBe('arm64');
    expect(loadAlignments.length).toBeGreaterThan(0);
    for (const alignment of loadAlignments) expect(alignment).toBeGreaterThanOrEqual(LARGEST_PAGE);
  });
});

describe('commands on arm64', () => {
  const environment = {
    THUGSHELLS_DB_PATH: '/nonexistent/metrics.db',
    THUGSHELLS_DEVICE_ID: 'board-1',
    THUGSHELLS_HEALTH_PORT: '9',
  };

  interface Line {
    readonly metric: Readonly<Record<string, string>>;
    readonly values: readonly number[];
  }

  async function once(runner?: Runner): Promise<Map<string, number>> {
    const { code, stdout, stderr } = await runToEnd('collector', environment, ['once'], runner);
    expect([code, stderr]).toEqual([0, '']);
    const lines = stdout.split('\n').map((line) => JSON.parse(line) as Line);
    return new Map(lines.map(({ metric, values }) => [JSON.stringify(Object.entries(metric).sort()), values[0]!]));
  }

  const total = (read: Map<string, number>): number =>
    [...read]
      .filter(([series]) => /memory_(used|available)_bytes/.test(series))
      .reduce((sum, [, value]) => sum + value, 0);

  test('collector once: reads the series of this machine’s kernel, with the values that the collector for this machine reads', async () => {
    const [there, here] = [await once(arm64), await once()];
    expect([...there.keys()].sort()).toEqual([...here.keys()].sort());
    expect(total(there)).toBe(total(here));
    const sizes = [...here].filter(([series]) => series.includes('filesystem_size_bytes'));
    expect(sizes.length).toBeGreaterThan(0);
    for (const [series, bytes] of sizes) expect([series, there.get(series)]).toEqual([series, bytes]);
  });

  test.each(['collector', 'uploader'] as const)('%s check-config: prints every variable', async (program) => {
    const { code, stdout } = await runToEnd(program, environment, ['check-config'], arm64);
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^THUGSHELLS_DEVICE_ID=board-1 +# environment$/m)]);
  });
});

describe('both programs on arm64', () => {
  let server: VictoriaMetrics;
  let pair: AgentPair;
  beforeAll(async () => {
    server = await startVictoriaMetrics();
    pair = new AgentPair(
      { REMOTE_URL: `${server.url}/api/v1/import`, INTERVAL: '1s', UPLOAD_INTERVAL: '1s', REMOTE_TIMEOUT: '20s' },
      arm64,
    );
  });
  afterAll(async () => {
    await pair.remove();
    await server.stop();
  });

  /** How a program is told of what it needs to run on; `status` asks the uploader that listens there. */
  async function status(endpoint: string): Promise<unknown> {
    const { code, stdout } = await runToEnd(
      'uploader',
      { ...pair.environment, THUGSHELLS_HEALTH_PORT: new URL(endpoint).port },
      ['status', '--json'],
      arm64,
    );
    expect([0, 1]).toContain(code);
    return JSON.parse(stdout);
  }

  test('deliver every row exactly once in a minute in which each of them is killed twice', async () => {
    const running: Record<'collector' | 'uploader', AgentProcess> = {
      collector: pair.start('collector'),
      uploader: pair.start('uploader'),
    };
    await until(
      'samples are delivered',
      () => statSync(pair.database, { throwIfNoEntry: false }) !== undefined && readBooks(pair.database).delivered > 0,
      60_000,
    );
    for (const victim of ['uploader', 'collector', 'uploader', 'collector'] as const) {
      await delay(RUN_MS / 5);
      const before = readBooks(pair.database);
      await running[victim].kill('SIGKILL');
      running[victim] = pair.start(victim);
      await until(
        `the ${victim} works again`,
        () =>
          readBooks(pair.database).delivered > before.delivered &&
          readBooks(pair.database).collected > before.collected,
        60_000,
      );
    }
    await delay(RUN_MS / 5);
    const endpoint = await endpointOf(running.uploader);
    expect((await healthAt(endpoint)).report.components).toHaveProperty('storage');
    expect(await status(endpoint)).toMatchObject({ device_id: 'board-1' });
    expect(await running.collector.stop()).toEqual({ code: 0, signal: null });
    await until('nothing is pending', () => readBooks(pair.database).pending === 0, 60_000);
    expect(await running.uploader.stop()).toEqual({ code: 0, signal: null });
    const stored = readStoredPoints(pair.database);
    expect(readBooks(pair.database)).toMatchObject({
      collected: stored.length,
      delivered: stored.length,
      rejected: 0,
      dropped: 0,
    });
    expect(stored.length).toBeGreaterThan(1_000);
    const received = toStoredPoints(await server.export());
    expect(findDifferences(stored, received)).toEqual([]);
  });
});
