// Longer than a test should be: each way in which a target can fail is a case of its own, against a real server.
import { createServer, type RequestListener, type Server } from 'node:http';
import {
  connect,
  createServer as createTcpServer,
  type AddressInfo,
  type Server as TcpServer,
  type Socket,
} from 'node:net';
import { gzipSync } from 'node:zlib';

import { afterEach, describe, expect, test } from '@jest/globals';

import { ScrapeClient } from '../../../../collector/src/inputs/scrape-client.ts';
import type { ScrapeTargetCollector } from '../../../../collector/src/inputs/scrape-target.ts';
import { until } from '../../../support/until.ts';
import { collectOnce, formatReadings, type CollectResult } from '../../../support/collector/collect-once.ts';
import { createTarget, createTargetCollector } from '../../../support/collector/made-target.ts';

const OWN = /^(up|scrape\..*)$/;
const MAX_BYTES = 100_000;
const METRICS = 'a 1\nb{c="d"} 2\n';
const servers: { stop: () => Promise<unknown> }[] = [];

afterEach(async () => {
  await Promise.all(servers.splice(0).map(({ stop }) => stop()));
});

async function listen<T extends Server | TcpServer>(server: T): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  servers.push({
    stop: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(resolve);
      }),
  });
  return (server.address() as AddressInfo).port;
}

/** A target that answers as told. */
const serve = (answer: RequestListener): Promise<number> => listen(createServer(answer));
/** A target that speaks no HTTP of its own accord. */
const speak = (talk: (socket: Socket) => void): Promise<number> =>
  listen(
    createTcpServer((socket) => {
      socket.on('error', () => undefined);
      talk(socket);
    }),
  );

function source(
  port: number,
  { timeoutMs = 5_000, maxReadings = 100, host = '127.0.0.1', client = new ScrapeClient() } = {},
): ScrapeTargetCollector {
  const target = createTarget({ url: `http://${host}:${port}/metrics`, labels: { job: 'node' } });
  return createTargetCollector(target, { client, limits: { timeoutMs, maxBytes: MAX_BYTES }, maxReadings });
}

function up({ readings }: CollectResult): unknown {
  return readings.find(({ series }) => series.name === 'up')?.value;
}

describe('a scrape target', () => {
  test('is asked as Prometheus asks, and its series have its name as job', async () => {
    let asked: { url?: string | undefined; headers: Record<string, unknown> } | undefined;
    const port = await serve(({ url, headers }, response) => {
      asked = { url, headers };
      response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(METRICS);
    });
    const told = await collectOnce(source(port));
    expect(told.failure).toBe('');
    expect(formatReadings(told.readings, /duration/)).toEqual([
      'up{job="node"} 1',
      'scrape.samples_scraped{job="node"} 2',
      'scrape.samples_post_metric_relabeling{job="node"} 2',
      'scrape.series_added{job="node"} 2',
      'a{job="node"} 1',
      'b{c="d",job="node"} 2',
    ]);
    expect(told.readings.find(({ series }) => series.name === 'scrape.duration_seconds')?.value).toBeGreaterThan(0);
    expect(asked).toMatchObject({
      url: '/metrics',
      headers: {
        accept: expect.stringMatching(/^application\/openmetrics-text;version=1\.0\.0;.*\*\/\*/),
        connection: 'close',
        'accept-encoding': 'gzip',
        'x-prometheus-scrape-timeout-seconds': '5',
      },
    });
  });

  test('may answer in OpenMetrics, and then has to end with # EOF', async () => {
    const texts = ['# TYPE a counter\na_total 1 # {t="x"} 1\n# EOF\n', 'a 1\n'];
    const port = await serve((_, response) =>
      response
        .writeHead(200, { 'content-type': 'application/openmetrics-text; version=1.0.0; charset=utf-8' })
        .end(texts.shift()),
    );
    const whole = await collectOnce(source(port));
    expect(formatReadings(whole.readings, OWN)).toEqual(['a_total{job="node"} 1']);
    expect(whole.readings.at(-1)?.series.kind).toBe('counter');
    const cut = await collectOnce(source(port));
    expect([up(cut), cut.failure]).toEqual([
      0,
      'cannot scrape node: line 1: no # EOF at the end: the text is truncated',
    ]);
  });

  test('may pack its answer', async () => {
    const port = await serve((_, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(METRICS)),
    );
    expect(formatReadings((await collectOnce(source(port))).readings, OWN)).toHaveLength(2);
  });

  test.each([
    ['text/html', METRICS],
    ['text/html; charset=utf-8', ` \n\ufeff${METRICS}`.trimStart()],
    ['application/xhtml+xml', `\n\n${METRICS}`],
  ])('scrape target: metrics that are sent as %s are read', async (type, text) => {
    const port = await serve((_, response) => {
      response.writeHead(200, { 'content-type': type });
      // The first part has no more than a blank line, or half of what comes before the text.
      response.write(text.slice(0, 1), () => response.end(text.slice(1)));
    });
    const told = await collectOnce(source(port));
    expect([up(told), told.failure]).toEqual([1, '']);
    expect(formatReadings(told.readings, OWN)).toEqual(['a{job="node"} 1', 'b{c="d",job="node"} 2']);
  });

  test('named localhost is this machine, without a resolver', async () => {
    const port = await serve((_, response) => response.end(METRICS));
    expect(up(await collectOnce(source(port, { host: 'localhost' })))).toBe(1);
  });

  test('with more samples than the limit has the first returned, and reports how many are left out', async () => {
    const port = await serve((_, response) =>
      response.end(Array.from({ length: 130 }, (_each, index) => `a${index} 1\n`).join('')),
    );
    const told = await collectOnce(source(port));
    expect([up(told), formatReadings(told.readings, OWN).length, told.failure]).toEqual([
      1,
      100,
      'scrape target node: 30 samples over the limit; increase THUGSHELLS_SCRAPE_MAX_SERIES and THUGSHELLS_MAX_SERIES',
    ]);
    expect(formatReadings(told.readings)).toContain('scrape.samples_scraped{job="node"} 130');
  });
});

describe('a target that cannot be used has up 0 and none of its samples, and is named with the reason', () => {
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  /** @param samples that were read; none by default */
  const cases: [what: string, start: () => Promise<number>, failure: string | RegExp, samples?: number][] = [
    [
      'nothing listens',
      async () => {
        const port = await serve(() => undefined);
        await servers.pop()!.stop();
        return port;
      },
      'connection refused',
    ],
    ['it never answers', () => serve(() => undefined), 'no complete response within 0.3 s'],
    ['it accepts and says nothing', () => speak(() => undefined), 'no complete response within 0.3 s'],
    [
      'it answers a byte at a time',
      () =>
        serve((_, response) => {
          const timer = setInterval(() => response.write('a'), 20);
          response.on('close', () => clearInterval(timer));
        }),
      'no complete response within 0.3 s',
    ],
    [
      'it stops in the middle',
      () =>
        serve((_, response) => {
          response.writeHead(200, { 'content-length': 50 });
          response.write('a 1\n');
        }),
      'no complete response within 0.3 s',
    ],
    [
      'it hangs up in the middle',
      () =>
        serve((_, response) => {
          response.writeHead(200, { 'content-length': 50 });
          response.write('a 1\n', () => response.destroy());
        }),
      /aborted|ECONNRESET/,
    ],
    ['it hangs up at once', () => speak((socket) => socket.destroy()), /hang up|ECONNRESET/],
    [
      'it speaks something else',
      () => speak((socket) => socket.write('SSH-2.0-OpenSSH_9.2\r\n')),
      /Expected HTTP|Parse Error/,
    ],
    [
      'it never ends its headers',
      () =>
        speak((socket) => {
          const timer = setInterval(() => socket.write(`x: ${'y'.repeat(1_000)}\r\n`), 1);
          socket.write('HTTP/1.1 200 OK\r\n');
          socket.on('close', () => clearInterval(timer));
        }),
      /Header overflow/,
    ],
    [
      'it answers HTML',
      () => serve((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('<html>')),
      'content type text/html is not a text format',
    ],
    [
      'it answers HTML after blank lines',
      () =>
        serve((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('\n \t\n<!doctype html>')),
      'content type text/html is not a text format',
    ],
    [
      'it answers nothing and calls it HTML',
      () => serve((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('\n')),
      'content type text/html is not a text format',
    ],
    [
      'it answers text that is no metrics and calls it HTML',
      () => serve((_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('a 1\nLog in first\n')),
      'line 2: the value of Log is not a number',
      1,
    ],
    [
      'it answers HTML and does not say so',
      () => serve((_, response) => response.end('<html>\n')),
      'line 1: no metric name',
    ],
    [
      'it answers protobuf',
      () =>
        serve((_, response) =>
          response.writeHead(200, { 'content-type': 'application/vnd.google.protobuf' }).end('\n\x01a'),
        ),
      'content type application/vnd.google.protobuf is not a text format',
    ],
    [
      'it redirects',
      () =>
        serve((_, response) => response.writeHead(302, { location: 'http://user:secret@example.com/metrics' }).end()),
      'redirected to http://***@example.com/metrics, redirects are not followed',
    ],
    ['it wants a password', () => serve((_, response) => response.writeHead(401).end()), 'status 401'],
    ['it has a fault', () => serve((_, response) => response.writeHead(500).end(METRICS)), 'status 500'],
    [
      'its text does not parse',
      () => serve((_, response) => response.end(`${METRICS}c\n`)),
      'line 3: the value of c is not a number',
      2,
    ],
    [
      'it is no UTF-8',
      () => serve((_, response) => response.end(Buffer.from('a{b="\xe9"} 1\n', 'latin1'))),
      'line 1: not UTF-8',
    ],
    [
      'it tells too much',
      () =>
        serve((_, response) => {
          response.writeHead(200);
          const more = (): void => {
            while (!response.destroyed && response.write('a 1\n'.repeat(1_000)));
          };
          response.on('drain', more);
          more();
        }),
      'more than 100000 bytes',
    ],
    [
      'it sends a gzip bomb',
      () => serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(bomb)),
      'more than 100000 bytes',
    ],
    [
      'its gzip is cut short',
      () =>
        serve((_, response) =>
          response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(METRICS).subarray(0, 20)),
        ),
      /unexpected end of file$/,
    ],
    [
      'its gzip is none',
      () => serve((_, response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end(METRICS)),
      /incorrect header check$/,
    ],
    [
      'it packs in an unknown way',
      () => serve((_, response) => response.writeHead(200, { 'content-encoding': 'zstd' }).end(METRICS)),
      'unexpected content encoding zstd',
    ],
  ];

  test.each(cases)('%s', async (_what, start, failure, samples = 0) => {
    const port = await start();
    const startedAt = performance.now();
    const told = await collectOnce(
      source(port, { timeoutMs: String(failure).includes('within 0.3 s') ? 300 : 20_000 }),
    );
    expect(told.failure).toMatch(
      typeof failure === 'string'
        ? new RegExp(`^cannot scrape node: ${failure.replace(/[.*+?()[\]]/g, '\\$&')}$`)
        : failure,
    );
    expect(told.hint).toMatch(/^[a-z]+ /);
    expect(formatReadings(told.readings, /duration/)).toEqual([
      'up{job="node"} 0',
      `scrape.samples_scraped{job="node"} ${samples}`,
      `scrape.samples_post_metric_relabeling{job="node"} ${samples}`,
      'scrape.series_added{job="node"} 0',
    ]);
    expect(performance.now() - startedAt).toBeLessThan(15_000);
  });

  test('and nothing of it is left open', async () => {
    const open = new Set<Socket>();
    const port = await speak((socket) => {
      open.add(socket.resume());
      socket.on('close', () => open.delete(socket));
    });
    await collectOnce(source(port, { timeoutMs: 100 }));
    await until('its connection is closed', () => open.size === 0);
  });
});

test('scrape client: aborts pending requests when it is closed', async () => {
  const port = await speak(() => undefined);
  const client = new ScrapeClient();
  const collecting = collectOnce(source(port, { timeoutMs: 60_000, client }));
  const probe = connect(port, '127.0.0.1');
  await new Promise((resolve) => probe.once('connect', resolve));
  client.close();
  expect(up(await collecting)).toBe(0);
  probe.destroy();
});
