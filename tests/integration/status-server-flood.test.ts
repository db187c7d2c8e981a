import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { builtHere, type AgentProcess } from '../support/agent-process.ts';
import { until } from '../support/until.ts';

/** As the unit starts it: how V8 and the allocator use memory depends on these. */
const likeTheUnit = {
  command: ['env', 'MALLOC_ARENA_MAX=1', process.execPath, '--max-semi-space-size=1', '--v8-pool-size=1'],
  folder: builtHere.folder,
} as const;
/** Of the 256 MB that the unit may have; 183 to 212 MB were seen, by when garbage is collected. */
const MAX_PEAK_MB = 240;

let agents: AgentPair;
let uploader: AgentProcess;
let endpoint: string;

beforeAll(async () => {
  agents = new AgentPair({ REMOTE_URL: 'http://127.0.0.1:9/api/v1/import' }, likeTheUnit);
  agents.start('collector');
  uploader = agents.start('uploader');
  endpoint = await endpointOf(uploader);
});
afterAll(() => agents.remove());

/** The most memory that the uploader has had so far. */
function peakMb(): number {
  const status = readFileSync(`/proc/${uploader.pid}/status`, 'utf8');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024;
}

/** Requests of a client that behaves, while others flood the server for some seconds. */
async function serveUnderFlood(connections: number, request: string): Promise<number[]> {
  const args = [new URL(endpoint).port, String(connections), request];
  const flood = spawn(process.execPath, [fileURLToPath(new URL('../support/flood.mjs', import.meta.url)), ...args], {
    stdio: 'inherit',
  });
  const statuses: number[] = [];
  const endAt = Date.now() + 4_000;
  try {
    while (Date.now() < endAt || statuses.length < 3) {
      const signal = AbortSignal.timeout(20_000);
      const response = await fetch(new URL('/health/live', endpoint), { headers: { connection: 'close' }, signal });
      await response.text();
      statuses.push(response.status);
    }
  } finally {
    flood.kill('SIGKILL');
    await once(flood, 'close');
  }
  return statuses;
}

const get = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');

describe('status server under clients that send without end and never read (unit’s memory):', () => {
  test.each([
    ['the page', 64, get('/')],
    ['the history', 64, get('/history.json')],
    ['the metrics', 64, get('/metrics')],
    ['HEAD', 64, get('/history.json').replace('GET', 'HEAD')],
    ['Expect: 100-continue', 64, get('/metrics', 'Expect: 100-continue')],
    ['upgrades', 64, get('/', 'Connection: upgrade', 'Upgrade: websocket')],
    ['CONNECT', 64, 'CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n'],
    ['requests without Host, the shortest there are', 64, 'GET / HTTP/1.1\r\n\r\n'],
    [
      'chunked bodies',
      64,
      'POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n',
    ],
    ['the page, over 200 connections', 200, get('/')],
  ])(
    'responds to others, and its memory stays within its limit (%s)',
    async (_, connections, request) => {
      const statuses = await serveUnderFlood(connections, request);
      expect(new Set(statuses)).toEqual(new Set([200]));
      expect(peakMb()).toBeLessThan(MAX_PEAK_MB);
      expect(uploader.isRunning).toBe(true);
    },
    120_000,
  );

  test('is ready for the next client at once when they are gone', async () => {
    const response = await until('it responds', () => fetch(new URL('/metrics', endpoint)));
    expect([response.status, await response.text()]).toEqual([200, expect.stringContaining('uploader_health_status{')]);
  });
});
