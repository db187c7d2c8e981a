import { setTimeout as sleep } from 'node:timers/promises';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { AgentPair } from '../agent-pair.ts';
import { AgentProcess, type Runner } from '../agent-process.ts';
import { cpuSeconds } from '../processes.ts';
import { readBooks, readStoredPoints, toStoredPoints } from '../stored-rows.ts';
import { until } from '../until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../victoria-metrics.ts';
import { CountingRelay } from './counting-relay.ts';
import type { RunningPath } from './proxies.ts';

/** A receiver behind something, and what happens to it. */
export interface PathScenario {
  readonly name: string;
  /** Starts what stands before the receiver; undefined: nothing. */
  readonly start?: (receiverPort: number) => Promise<RunningPath>;
  /** Before the path of the uploads. */
  readonly prefix?: string;
  /** The path is a forward proxy. */
  readonly isForwardProxy?: boolean;
  /** When the receiver is killed, in seconds after the start. */
  readonly killsAtSeconds?: readonly number[];
  /** For how long it is down then; 6 s by default. */
  readonly downMs?: number;
  readonly variables?: Readonly<Record<string, string>>;
}

export interface PathRunOptions {
  readonly seconds: number;
  readonly runner?: Runner;
}

/** What a run came to. */
export interface PathFigures {
  readonly samples: number;
  /** Delivered by the books, and not in the receiver. */
  readonly lost: number;
  /** Received more than once, as a share of all. */
  readonly repeatedShare: number;
  /** Bytes from and to the uploader for each sample. */
  readonly bytesSentPerSample: number;
  readonly bytesReceivedPerSample: number;
  readonly requests: Readonly<Record<string, number>>;
  /** The shortest time between two requests without samples. */
  readonly shortestPingGapMs: number;
  readonly uploaderCpuMs: number;
  readonly pendingAtTheEnd: number;
}

const DOWN_MS = 6_000;
/** Longer than the replay window, two uploads and a few questions. */
const SETTLE_MS = 90_000;

/** Runs both programs against a real VictoriaMetrics, which counts what comes twice, through a path. */
export async function runPath(scenario: PathScenario, { seconds, runner }: PathRunOptions): Promise<PathFigures> {
  const { killsAtSeconds = [], downMs = DOWN_MS } = scenario;
  const ends: (() => Promise<unknown>)[] = [];
  try {
    const server = await startVictoriaMetrics({ flags: ['-dedup.minScrapeInterval=0s'] });
    ends.push(() => server.stop());
    const path = await scenario.start?.(server.port);
    if (path !== undefined) ends.push(() => path.stop());
    const relay = await CountingRelay.start(path?.port ?? server.port);
    ends.push(() => relay.stop());
    const agent = startAgent(scenario, { relay, server, runner });
    ends.push(() => agent.remove());
    const startedAt = Date.now();
    for (const at of killsAtSeconds) {
      await sleep(startedAt + at * 1000 - Date.now());
      await server.kill('SIGKILL');
      await sleep(downMs);
      await server.restart();
    }
    await sleep(Math.max(0, startedAt + seconds * 1000 - Date.now()));
    if (killsAtSeconds.length > 0) await untilFinal(agent.database);
    await agent.collector.stop();
    await until('everything is sent', () => readBooks(agent.database).pending === 0, SETTLE_MS);
    const uploaderCpuMs = cpuSeconds(agent.uploader.pid) * 1000;
    await agent.uploader.kill('SIGKILL');
    return { ...(await compare(agent.database, server)), ...readRelay(relay, agent.database), uploaderCpuMs };
  } finally {
    for (const end of ends.reverse()) await end();
  }
}

interface AgentTargets {
  readonly relay: CountingRelay;
  readonly server: VictoriaMetrics;
  readonly runner: Runner | undefined;
}

function startAgent(scenario: PathScenario, { relay, server, runner }: AgentTargets) {
  const { prefix = '', isForwardProxy = false, variables = {} } = scenario;
  const port = isForwardProxy ? server.port : relay.port;
  const pair = new AgentPair({
    INTERVAL: '1s',
    UPLOAD_INTERVAL: '2s',
    PROBE_INTERVAL: '5s',
    // The first one only: a request of its own that is no ping.
    CLOCK_SKEW_INTERVAL: '1h',
    // A receiver on loopback goes around proxies; Linux connects 0.0.0.0 to this machine as well.
    REMOTE_URL: `http://${isForwardProxy ? '0.0.0.0' : '127.0.0.1'}:${port}${prefix}/api/v1/import`,
    ...variables,
  });
  const proxy = isForwardProxy ? { http_proxy: `http://127.0.0.1:${relay.port}` } : {};
  const uploader = new AgentProcess('uploader', { ...pair.environment, ...proxy }, [], runner);
  const collector = new AgentProcess('collector', pair.environment, [], runner);
  const { database } = pair;
  const remove = async (): Promise<void> => {
    for (const each of [uploader, collector]) await each.kill('SIGKILL');
    await pair.remove();
  };
  return { uploader, collector, database, remove };
}

/** Waits until nothing of what is collected now can become pending again. */
async function untilFinal(path: string): Promise<void> {
  const database = openDatabase(path, { readonly: true });
  const count = (sql: string, ...args: number[]): number =>
    database
      .prepare<number[], number>(sql)
      .pluck()
      .get(...args)!;
  try {
    const lastId = count('SELECT MAX(id) FROM samples');
    await until(
      'everything is confirmed',
      () =>
        count('SELECT COUNT(*) FROM metrics WHERE id <= ? AND uploaded = 0', lastId) === 0 &&
        count('SELECT COUNT(*) FROM provisional, json_each(provisional.ranges) WHERE value ->> 0 <= ?', lastId) === 0,
      SETTLE_MS,
    );
  } finally {
    database.close();
  }
}

async function compare(database: string, server: VictoriaMetrics) {
  const received = toStoredPoints(await server.export(undefined, { raw: true }));
  const key = ({ series, timestampMs }: { series: string; timestampMs: number }): string => `${timestampMs} ${series}`;
  const distinct = new Set(received.map(key));
  const stored = readStoredPoints(database);
  return {
    samples: stored.length,
    lost: stored.filter((point) => !distinct.has(key(point))).length,
    repeatedShare: (received.length - distinct.size) / distinct.size,
    pendingAtTheEnd: readBooks(database).pending,
  };
}

function readRelay(relay: CountingRelay, database: string) {
  const samples = readBooks(database).collected;
  const gaps = relay.pingsAtMs.slice(1).map((atMs, index) => atMs - relay.pingsAtMs[index]!);
  return {
    bytesSentPerSample: relay.sent / samples,
    bytesReceivedPerSample: relay.received / samples,
    requests: relay.requests,
    shortestPingGapMs: Math.min(Infinity, ...gaps),
  };
}
