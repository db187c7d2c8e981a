import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { expectSameValues, valuesBySeries } from '../support/compare-series.ts';
import { startNodeExporter, startVmagent } from '../support/other-scrapers.ts';
import { readBooks } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics } from '../support/victoria-metrics.ts';

/** What an exporter exposes, through the agent and through vmagent into a second VictoriaMetrics: both hold the same. */

const toRelease: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of toRelease.splice(0).reverse()) await release();
});

async function victoriaMetrics() {
  const server = await startVictoriaMetrics();
  toRelease.push(() => server.stop());
  return server;
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

test('node_exporter, scraped for a minute, is the same in VictoriaMetrics as by vmagent in another VictoriaMetrics', async () => {
  const scrapes = 12;
  const exporter = await startNodeExporter();
  toRelease.push(() => exporter.program.stop());
  const relay = new Relay(exporter.url, scrapes);
  const host = await relay.listen();
  toRelease.push(() => relay.close());
  const [ours, theirs] = [await victoriaMetrics(), await victoriaMetrics()];

  const vmagent = await startVmagent({ host, path: '/vmagent', job: 'node', deviceId: 'board-1' }, theirs.url);
  toRelease.push(() => vmagent.stop());
  const agent = new AgentPair({
    REMOTE_URL: `${ours.url}/api/v1/import`,
    COLLECTORS: 'scrape',
    SCRAPE_TARGETS: `node=http://${host}/agent`,
    SCRAPE_INTERVAL: '5s',
  });
  toRelease.push(() => agent.remove());
  const collector = agent.start('collector');
  agent.start('uploader');
  const paths = ['/vmagent', '/agent'];
  await until('both have had all pages', () => paths.every((path) => (relay.asked.get(path) ?? 0) > scrapes), 120_000);
  await collector.stop();
  await until('everything is delivered', () => readBooks(agent.database).pending === 0);
  expect(readBooks(agent.database)).toMatchObject({ rejected: 0, dropped: 0 });

  const own = /^(up|scrape_.*)$/;
  const theirSeries = await until('vmagent has sent everything', async () => {
    const found = valuesBySeries(await theirs.export(), own);
    return [...found.values()].filter(({ length }) => length === scrapes).length > 300 && found;
  });
  const exported = await ours.export();
  expectSameValues(valuesBySeries(exported, own), theirSeries);
  const ups = exported.find(({ metric }) => metric['__name__'] === 'up')!;
  expect([ups.metric, ups.values.slice(0, scrapes + 1)]).toEqual([
    { __name__: 'up', job: 'node', instance: host, device_id: 'board-1' },
    [...Array<number>(scrapes).fill(1), 0],
  ]);
}, 240_000);
