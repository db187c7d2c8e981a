import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';
import { SCHEMA_VERSION, readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';

import { endpointOf, healthAt } from '../support/agent-pair.ts';
import { AgentProcess, runToEnd, type Runner } from '../support/agent-process.ts';
import { makeProgram } from '../support/made-program.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const NEWER = SCHEMA_VERSION + 1;
const IMPORTED = 'set-aside database imported, file removed';
let folder: string;
let path: string;
let receiver: VictoriaMetrics;
let environment: Record<string, string>;
const agents: AgentProcess[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'newer-database-'));
  path = join(folder, 'data', 'metrics.db');
  // Without deduplication: a sample that arrives twice is there twice.
  receiver = await startVictoriaMetrics({ flags: ['-dedup.minScrapeInterval=0s'] });
  const variables = {
    ...{
      DB_PATH: path,
      DEVICE_ID: 'device-1',
      INTERVAL: '200ms',
      UPLOAD_INTERVAL: '500ms',
      HEALTH_PORT: '0',
      REPLAY_WINDOW: '0',
    },
    ...{ REMOTE_URL: `${receiver.url}/api/v1/import`, PROBE_INTERVAL: '200ms', RETRY_INITIAL: '50ms' },
  };
  environment = Object.fromEntries(Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.kill('SIGKILL');
  await receiver.stop();
  rmSync(folder, { recursive: true });
});

function start(program: 'collector' | 'uploader', runner: Runner): AgentProcess {
  const agent = new AgentProcess(program, environment, [], runner);
  agents.push(agent);
  return agent;
}

function setAside(): string[] {
  return readdirSync(join(folder, 'data')).filter(
    (name) => /^metrics\.db\.(schema-|damaged-|setting-aside)/.test(name) && !/-(wal|shm)$/.test(name),
  );
}

/** Counts the samples row by row, in a database of any schema that has no writer at that time. */
function isBalanced(file = path): boolean {
  const database = openDatabase(file, { readonly: true });
  try {
    return database.prepare('SELECT balanced FROM books').pluck().get() === 1;
  } finally {
    database.close();
  }
}

/** Collects and uploads with one version, and leaves some samples pending. */
async function work(runner: Runner, end: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  const [collector, uploader] = [start('collector', runner), start('uploader', runner)];
  const before = await until('there is a database', () =>
    uploader.told('health endpoint listening').length > 0 ? readBooks(path).delivered : undefined,
  );
  await until('samples are delivered', () => readBooks(path).delivered > before + 300);
  expect((await uploader.stop()).code).toBe(0);
  const pending = readBooks(path).pending;
  await until('samples are pending', () => readBooks(path).pending > pending + 150);
  await collector.kill(end);
  expect(isBalanced()).toBe(true);
}

/** Starts both, and waits until everything that is stored has been delivered. */
async function drain(runner: Runner): Promise<AgentProcess> {
  const [collector, uploader] = [start('collector', runner), start('uploader', runner)];
  await until('it is imported', () => collector.told(IMPORTED).length > 0, 60_000);
  await collector.stop();
  await until('everything is delivered', () => readBooks(path).pending === 0, 60_000);
  expect((await uploader.stop()).code).toBe(0);
  expect([isBalanced(), setAside()]).toEqual([true, []]);
  return collector;
}

async function expectEverythingOnce(): Promise<void> {
  const { collected, delivered } = readBooks(path);
  expect(delivered).toBe(collected);
  expect(readStoredPoints(path)).toHaveLength(collected);
  expect(
    findDifferences(readStoredPoints(path), toStoredPoints(await receiver.export(undefined, { raw: true }))),
  ).toEqual([]);
}

test('newer database: upgrade, downgrade and upgrade again lose no sample and send none twice', async () => {
  const [old, newer] = [makeProgram(folder, 0), makeProgram(folder, 1)];
  await work(old, 'SIGTERM');
  await work(newer, 'SIGKILL');
  expect(readFileSchemaVersion(path)).toBe(NEWER);
  const first = readBooks(path);

  // Downgrade. The uploader starts first, and waits.
  const uploader = start('uploader', old);
  await until('the uploader waits', () => uploader.told('database too new, waiting for collector').length > 0);
  for (const command of [['status'], ['quarantine'], ['requeue', '--from', '1h', '--to', 'now']]) {
    const { code, stderr } = await runToEnd('uploader', environment, command, old);
    expect([code, stderr]).toEqual([
      78,
      expect.stringMatching(new RegExp(`version ${NEWER}, .*up to ${SCHEMA_VERSION}\nhint: .*start the collector`)),
    ]);
  }
  const migrating = new AgentProcess('collector', environment, ['migrate'], old);
  expect((await migrating.ended).code).toBe(78);
  expect(migrating.problems.join(' ')).toMatch(new RegExp(`version ${NEWER}, .*up to ${SCHEMA_VERSION}`));
  expect([setAside(), uploader.isRunning]).toEqual([[], true]);
  const collector = start('collector', old);
  const { report } = await until('health names the file', async () => {
    const seen = await healthAt(await endpointOf(uploader));
    return seen.report.components['database'] === undefined ? undefined : seen;
  });
  const { status, message } = report.components['database']!;
  expect([status, message]).toEqual([
    'degraded',
    expect.stringContaining(`metrics.db.schema-${NEWER} (schema ${NEWER}, `),
  ]);
  await until('samples of the new database are delivered', () => readBooks(path).delivered > 300);
  await uploader.stop();
  await until('some are pending', () => readBooks(path).pending > 100);
  await collector.kill('SIGKILL');
  expect(collector.told('database set aside: newer schema')).toHaveLength(1);
  expect([setAside(), readFileSchemaVersion(path), isBalanced()]).toEqual([
    [`metrics.db.schema-${NEWER}`],
    SCHEMA_VERSION,
    true,
  ]);
  const second = readBooks(path);

  const taking = await drain(newer);
  const counts = taking.told(IMPORTED)[0]!;
  expect(counts).toMatchObject({
    collected: first.collected,
    delivered: first.delivered,
    rejected: 0,
    dropped: 0,
    lost: 0,
  });
  expect(readBooks(path).collected).toBeGreaterThanOrEqual(first.collected + second.collected);
  await expectEverythingOnce();
}, 180_000);

test('newer database: one of a schema between the two is migrated before its import, also after kills', async () => {
  const [old, newer, newest] = [makeProgram(folder, 0), makeProgram(folder, 1), makeProgram(folder, 2)];
  await work(newer, 'SIGKILL');
  await work(old, 'SIGTERM');
  expect(setAside()).toEqual([`metrics.db.schema-${NEWER}`]);
  for (let kills = 0; kills < 5 && setAside().length > 0; kills++) {
    const killed = start('collector', newest);
    await until(
      'it has begun',
      () => killed.told('database migrated').length > 0 || setAside().some((name) => name.endsWith('.taking-over')),
    );
    await killed.kill('SIGKILL');
    expect(isBalanced()).toBe(true);
  }
  const [collector, uploader] = [start('collector', newest), start('uploader', newest)];
  await until('nothing is set aside', () => setAside().length === 0, 60_000);
  await collector.stop();
  await until('everything is delivered', () => readBooks(path).pending === 0, 60_000);
  await uploader.stop();
  expect([readFileSchemaVersion(path), isBalanced(), setAside()]).toEqual([NEWER + 1, true, []]);
  await expectEverythingOnce();
}, 180_000);

test('newer database: set aside while the newer uploader has it open, it keeps that one’s acknowledgements', async () => {
  const [old, newer] = [makeProgram(folder, 0), makeProgram(folder, 1)];
  const [first, uploader] = [start('collector', newer), start('uploader', newer)];
  await until('samples are delivered', () => readBooks(path).delivered > 300);
  await first.kill('SIGKILL');
  const second = start('collector', old);
  await until('the uploader has noticed, and waits', () =>
    uploader
      .told('waiting for collector to prepare database')
      .some(({ reason }) => reason === `schema version ${SCHEMA_VERSION}, this program needs ${NEWER}`),
  );
  await until('samples are pending', () => readBooks(path).pending > 200);
  // The uploader may still be closing it, and SQLite refused a reader that came between.
  await until('the file is read and balanced', () => isBalanced(`${path}.schema-${NEWER}`));
  await second.kill('SIGKILL');
  const third = start('collector', newer);
  await until('it is imported', () => third.told(IMPORTED).length > 0, 60_000);
  await third.stop();
  await until('everything is delivered', () => readBooks(path).pending === 0, 60_000);
  expect((await uploader.stop()).code).toBe(0);
  expect([isBalanced(), setAside()]).toEqual([true, []]);
  await expectEverythingOnce();
}, 180_000);
