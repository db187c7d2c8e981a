import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { startNodeExporter, startVmagent } from '../support/other-scrapers.ts';
import { Prometheus } from '../support/prometheus.ts';
import { books } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type ExportedSeries } from '../support/victoria-metrics.ts';

/** What others tell, on its way through the agent and by another way into a second VictoriaMetrics: both hold the same. */

const toRelease: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of toRelease.splice(0).reverse()) await release();
});

async function victoriaMetrics() {
  const server = await startVictoriaMetrics();
  toRelease.push(() => server.stop());
  return server;
}

/** Values by series, in the order of time; without the series of the scraper itself. */
function valuesOf(exported: readonly ExportedSeries[], own: RegExp, count = Infinity): Map<string, number[]> {
  const kept = exported.filter(({ metric }) => !own.test(metric['__name__']!));
  return new Map(
    kept.map(({ metric, values }) => {
      // vmagent ends a series with a marker that is no value.
      const real = values.filter((value) => value !== null && !Number.isNaN(value));
      return [JSON.stringify(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))), real.slice(0, count)];
    }),
  );
}

function expectSame(
  actual: ReadonlyMap<string, readonly number[]>,
  expected: ReadonlyMap<string, readonly number[]>,
): void {
  expect([...actual.keys()].sort()).toEqual([...expected.keys()].sort());
  const differing = [...expected].filter(([series, values]) => {
    const others = actual.get(series)!;
    return (
      others.length !== values.length ||
      values.some((value, index) => Math.abs(value - others[index]!) > 1e-9 * Math.abs(value))
    );
  });
  expect(differing.map(([series, values]) => [series, values, actual.get(series)])).toEqual([]);
}

/** Hands each of its callers the same pages in the same order, as the exporter had them when the first one asked. */
class Relay {
  readonly asked = new Map<string, number>();
  readonly #pages: Promise<string>[] = [];
  readonly #server: Server;
  readonly #most: number;

  constructor(url: string, most: number) {
    this.#most = most;
    this.#server = createServer((request, response) => {
      const turn = this.asked.get(request.url!) ?? 0;
      this.asked.set(request.url!, turn + 1);
      if (turn >= this.#most) {
        response.writeHead(503).end();
        return;
      }
      this.#pages[turn] ??= fetch(url).then((answer) => answer.text());
      void this.#pages[turn].then((page) =>
        response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(page),
      );
    });
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  close(): void {
    this.#server.close();
    this.#server.closeAllConnections();
  }
}

test('node_exporter, scraped for a minute, is the same in VictoriaMetrics, and by remote write in Prometheus, as by vmagent in another VictoriaMetrics', async () => {
  const scrapes = 12;
  const exporter = await startNodeExporter();
  toRelease.push(() => exporter.program.stop());
  const relay = new Relay(exporter.url, scrapes);
  const host = await relay.listen();
  toRelease.push(() => relay.close());
  const [ours, theirs] = [await victoriaMetrics(), await victoriaMetrics()];
  const prometheus = await Prometheus.start();
  toRelease.push(() => prometheus.stop());

  const vmagent = await startVmagent({ host, path: '/vmagent', job: 'node', deviceId: 'board-1' }, theirs.url);
  toRelease.push(() => vmagent.stop());
  const ways = {
    '/agent': { REMOTE_URL: `${ours.url}/api/v1/import` },
    '/remote-write': { REMOTE_URL: `${prometheus.url}/api/v1/write`, REMOTE_PROTOCOL: 'remote-write' },
  };
  const agents = Object.entries(ways).map(([path, way]) => {
    const agent = new AgentPair({
      ...way,
      COLLECTORS: 'scrape',
      SCRAPE_TARGETS: `node=http://${host}${path}`,
      SCRAPE_INTERVAL: '5s',
    });
    toRelease.push(() => agent.remove());
    const collector = agent.start('collector');
    agent.start('uploader');
    return { agent, collector };
  });
  const paths = ['/vmagent', ...Object.keys(ways)];
  await until('all have had all pages', () => paths.every((path) => (relay.asked.get(path) ?? 0) > scrapes), 120_000);
  for (const { agent, collector } of agents) {
    await collector.stop();
    await until('everything is delivered', () => books(agent.database).pending === 0);
    expect(books(agent.database)).toMatchObject({ rejected: 0, dropped: 0 });
  }

  const own = /^(up|scrape_.*)$/;
  const theirSeries = await until('vmagent has sent everything', async () => {
    const found = valuesOf(await theirs.export(), own);
    return [...found.values()].filter(({ length }) => length === scrapes).length > 300 && found;
  });
  for (const exported of [await ours.export(), await prometheus.export()]) {
    expectSame(valuesOf(exported, own), theirSeries);
    const ups = exported.find(({ metric }) => metric['__name__'] === 'up')!;
    expect([ups.metric, ups.values.slice(0, scrapes + 1)]).toEqual([
      { __name__: 'up', job: 'node', device_id: 'board-1' },
      [...Array<number>(scrapes).fill(1), 0],
    ]);
  }
}, 240_000);

const FIXTURES = join(import.meta.dirname, '../fixtures/textfiles');

test('what public scripts for the textfile collector write is the same by the agent as VictoriaMetrics itself reads it', async () => {
  const [ours, theirs] = [await victoriaMetrics(), await victoriaMetrics()];
  const { stdout, stderr, code } = await runToEnd(
    'collector',
    { THUGSHELLS_COLLECTORS: 'textfile', THUGSHELLS_TEXTFILE_DIR: FIXTURES, THUGSHELLS_DEVICE_ID: 'b1' },
    ['once'],
  );
  expect([code, stderr]).toEqual([0, 'backup_size_bytes: value NaN is not finite']);
  await fetch(`${ours.url}/api/v1/import`, { method: 'POST', body: stdout });
  const files = readdirSync(FIXTURES).filter((name) => name.endsWith('.prom'));
  for (const name of files) {
    await fetch(`${theirs.url}/api/v1/import/prometheus?extra_label=device_id=b1`, {
      method: 'POST',
      body: readFileSync(join(FIXTURES, name)),
    });
  }
  expect(files.length).toBeGreaterThanOrEqual(20);
  const expected = valuesOf(await theirs.export(), /^textfile_/);
  expect(expected.size).toBeGreaterThan(80);
  expectSame(valuesOf(await ours.export(), /^textfile_/), expected);
  expect((await ours.export('textfile_mtime_seconds')).map(({ metric }) => metric['file']).sort()).toEqual(
    files.map((name) => join(FIXTURES, name)).sort(),
  );
});

describe('a target that never answers', () => {
  test('delays nothing, not the end either, and is named in the health report', async () => {
    const ours = await victoriaMetrics();
    let asked = 0;
    const silent = createServer(() => {
      asked += 1;
    });
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    toRelease.push(() => {
      silent.close();
      silent.closeAllConnections();
    });
    const folder = mkdtempSync(join(tmpdir(), 'foreign-samples-'));
    toRelease.push(() => rmSync(folder, { recursive: true }));
    const target = `http://127.0.0.1:${(silent.address() as AddressInfo).port}/metrics`;
    const agent = new AgentPair({
      REMOTE_URL: `${ours.url}/api/v1/import`,
      COLLECTORS: 'load textfile scrape',
      TEXTFILE_DIR: folder,
      SCRAPE_TARGETS: `silent=${target}`,
      SCRAPE_INTERVAL: '15s',
    });
    toRelease.push(() => agent.remove());
    const collector = agent.start('collector');
    const uploader = agent.start('uploader');
    const endpoint = await until('the sidecar listens', () => uploader.endpoint());
    const text = await until('the target is named', async () => {
      const health = await (await fetch(new URL('/health', endpoint), { headers: { connection: 'close' } })).text();
      return health.includes('no whole answer within 10 s') && health;
    });
    expect(text).toContain('scrape:silent');
    await until('up is 0', async () => (await ours.export('up'))[0]?.values.includes(0));
    const loads = await until('the others go on', async () => {
      const found = (await ours.export('load_average_1m'))[0];
      return found !== undefined && found.timestamps.length > 8 && found;
    });
    const gaps = loads.timestamps.slice(1).map((at, index) => at - loads.timestamps[index]!);
    // One that waited for the target would have waited ten seconds.
    expect(Math.max(...gaps)).toBeLessThan(9_000);
    await until('it is asked again', () => asked >= 2);
    const stoppedAt = performance.now();
    expect(await collector.stop()).toEqual({ code: 0, signal: null });
    expect(performance.now() - stoppedAt).toBeLessThan(9_000);
  }, 120_000);
});
