import { createServer, type IncomingHttpHeaders } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { startPrometheusAgent } from '../support/other-scrapers.ts';
import { until } from '../support/until.ts';

const toRelease: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of toRelease.splice(0).reverse()) await release();
});

test('scrape requests: ask an exporter for the formats, the encoding and the time that Prometheus 3 asks it for', async () => {
  const asked = new Map<string, IncomingHttpHeaders>();
  const server = createServer(({ url, headers }, response) => {
    asked.set(url!, headers);
    response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end('a 1\n');
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  toRelease.push(() => server.close());
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const prometheus = await startPrometheusAgent({
    scrape_configs: [
      {
        job_name: 'theirs',
        metrics_path: '/theirs',
        scrape_interval: '1s',
        scrape_timeout: '700ms',
        static_configs: [{ targets: [host] }],
      },
    ],
  });
  toRelease.push(() => prometheus.stop());
  const agent = new AgentPair({
    COLLECTORS: 'scrape',
    SCRAPE_TARGETS: `ours=http://${host}/ours`,
    SCRAPE_INTERVAL: '1s',
    SCRAPE_TIMEOUT: '700ms',
  });
  toRelease.push(() => agent.remove());
  agent.start('collector');
  await until('both have scraped', () => asked.size === 2, 60_000);
  const select = (headers: IncomingHttpHeaders): Record<string, unknown> =>
    Object.fromEntries(
      ['accept', 'accept-encoding', 'x-prometheus-scrape-timeout-seconds'].map((name) => [name, headers[name]]),
    );
  expect(select(asked.get('/ours')!)).toEqual(select(asked.get('/theirs')!));
}, 90_000);
