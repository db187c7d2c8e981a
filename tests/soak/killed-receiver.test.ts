import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect, test } from '@jest/globals';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { AgentPair } from '../support/agent-pair.ts';
import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx, type RunningPath } from '../support/paths/proxies.ts';
import { readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

/** Five kills in two minutes; each a few seconds after an upload, whose samples are not on the receiver's disk yet. */
const KILLS = 5;
const KILL_EVERY_MS = 24_000;
const SETTLE_MS = 180_000;

/** A vmauth without users: it keeps the uploader's connection, and its own metrics hide the receiver's. */
async function startVmauth(receiverPort: number, folder: string): Promise<RunningPath> {
  const config = join(folder, 'auth.yml');
  writeFileSync(config, `unauthorized_user:\n  url_prefix: "http://127.0.0.1:${receiverPort}"\n`);
  const port = await freePort();
  const child = spawn(await findProgram('vmauth'), [`-auth.config=${config}`, `-httpListenAddr=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  const ended = once(child, 'close');
  const isHealthy = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/health`)).ok;
  await until('vmauth answers', isHealthy);
  const stop = async (): Promise<void> => {
    child.kill('SIGKILL');
    await ended;
  };
  return { port, stop };
}

const PATHS = {
  nginx: (port: number) => startNginx(port, { prefix: '/vm/', hidesMetrics: true }),
  vmauth: startVmauth,
} as const;

interface Run {
  readonly lost: number;
  readonly named: number;
  readonly lostAfterRequeue: number;
}

/** Counts the samples of the database that the receiver lacks. */
async function countLost(database: string, server: VictoriaMetrics): Promise<number> {
  const received = new Set(
    toStoredPoints(await server.export()).map(({ series, timestampMs }) => `${timestampMs} ${series}`),
  );
  return readStoredPoints(database).filter(({ series, timestampMs }) => !received.has(`${timestampMs} ${series}`))
    .length;
}

async function run(name: keyof typeof PATHS, verifyInterval: string): Promise<Run> {
  const server = await startVictoriaMetrics();
  const pair = new AgentPair({});
  const path = await PATHS[name](server.port, pair.folder);
  const environment = {
    ...pair.environment,
    THUGSHELLS_INTERVAL: '1s',
    THUGSHELLS_UPLOAD_INTERVAL: '2s',
    THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${path.port}${name === 'nginx' ? '/vm' : ''}/api/v1/import`,
    THUGSHELLS_VERIFY_INTERVAL: verifyInterval,
  };
  const collector = new AgentProcess('collector', environment);
  const uploader = new AgentProcess('uploader', environment);
  try {
    for (let kill = 0; kill < KILLS; kill++) {
      await sleep(KILL_EVERY_MS);
      await server.kill('SIGKILL');
      await server.restart();
    }
    await sleep(KILL_EVERY_MS);
    await collector.stop();
    await until('everything is sent', () => readBooks(pair.database).pending === 0, SETTLE_MS);
    if (verifyInterval !== '0')
      await until('nothing is missing', async () => (await countLost(pair.database, server)) === 0, SETTLE_MS).catch(
        () => undefined,
      );
    await uploader.stop();
    // What ended with the uploader unconfirmed is pending again; and the newest seconds are not judged.
    await drain(pair.database, environment);
    await sleep(20_000);
    const lost = await countLost(pair.database, server);
    const named = await verify(environment);
    await verify(environment, '--requeue');
    await drain(pair.database, environment);
    return { lost, named, lostAfterRequeue: await countLost(pair.database, server) };
  } finally {
    await collector.stop();
    await uploader.stop();
    await path.stop();
    await server.stop();
    await pair.remove();
  }
}

async function drain(database: string, environment: Record<string, string>): Promise<void> {
  const final = { ...environment, THUGSHELLS_REPLAY_WINDOW: '0', THUGSHELLS_VERIFY_INTERVAL: '0' };
  const uploader = new AgentProcess('uploader', final);
  await sleep(3_000);
  await until('everything is sent', () => readBooks(database).pending === 0, SETTLE_MS);
  await uploader.stop();
}

/** Returns how many samples `verify` names as missing. */
async function verify(environment: Record<string, string>, ...args: readonly string[]): Promise<number> {
  const { stdout, stderr } = await runToEnd('uploader', environment, [
    'verify',
    '--from',
    '1h',
    '--to',
    'now',
    '--json',
    ...args,
  ]);
  if (stdout === '') throw new Error(stderr);
  return (JSON.parse(stdout) as { readonly missing: number }).missing;
}

test('a receiver that is killed five times in two minutes behind a proxy lacks nothing with verification in the background; without it verify names what it lacks, and --requeue restores it', async () => {
  const runs = await Promise.all((['nginx', 'vmauth'] as const).flatMap((name) => [run(name, '10s'), run(name, '0')]));
  const [nginx, nginxWithout, vmauth, vmauthWithout] = runs as [Run, Run, Run, Run];
  expect([nginx.lost, vmauth.lost]).toEqual([0, 0]);
  for (const without of [nginxWithout, vmauthWithout]) {
    expect(without.lost).toBeGreaterThan(0);
    expect(without.named).toBe(without.lost);
    expect(without.lostAfterRequeue).toBe(0);
  }
}, 900_000);
