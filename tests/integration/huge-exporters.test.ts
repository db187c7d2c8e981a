import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterEach, expect, test } from '@jest/globals';
import { openDatabase } from '@thugshells/shared/database/open.ts';

import { builtHere } from '../support/agent-process.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { until } from '../support/until.ts';

const folder = useTemporaryFolder();
const PAGE_BYTES = 4 * 1024 ** 2 - 64;
/** As the unit starts it. */
const FLAGS = ['--max-semi-space-size=1', '--v8-pool-size=1', '--disable-sigusr1'];
const CPU_INTERVAL_MS = 200;
const servers: Server[] = [];
let collector: ChildProcess;

afterEach(async () => {
  collector.kill('SIGKILL');
  await Promise.all(servers.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Repeats lines up to 4 MiB. */
function fill(toLine: (index: number) => string): Buffer {
  const lines: string[] = [];
  for (let bytes = 0, index = 0; ; index++) {
    const line = `${toLine(index)}\n`;
    bytes += line.length;
    if (bytes > PAGE_BYTES) return Buffer.from(lines.join(''));
    lines.push(line);
  }
}

async function serve(toPage: () => Buffer): Promise<string> {
  const server = createServer((_request, response) => response.end(toPage())).listen(0, '127.0.0.1');
  servers.push(server);
  await once(server, 'listening');
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/metrics`;
}

/** Runs the collector until it has scraped each page some times; returns its peak of memory and the longest gap of cpu. */
async function measure(
  name: string,
  pages: readonly (() => Buffer)[],
  scrapes = 3,
): Promise<{ peakMiB: number; gapMs: number }> {
  const targets = await Promise.all(pages.map(async (page, index) => `t${index}=${await serve(page)}`));
  const path = folder.path(`${name}.db`);
  const variables = {
    ...{
      DB_PATH: path,
      SCRAPE_TARGETS: targets.join(' '),
      SCRAPE_INTERVAL: scrapes > 3 ? '1s' : '3s',
      CPU_INTERVAL: `${CPU_INTERVAL_MS}ms`,
    },
    ...{ COLLECTORS: 'cpu scrape', DEVICE_ID: 'b1', MAX_SERIES: '20000' },
  };
  const environment: Readonly<Record<string, string>> = Object.fromEntries(
    Object.entries(variables).map(([variable, value]) => [`THUGSHELLS_${variable}`, value]),
  );
  collector = spawn(process.execPath, [...FLAGS, join(builtHere.folder, 'collector/dist/main.js')], {
    env: { PATH: process.env['PATH'], MALLOC_ARENA_MAX: '1', ...environment },
    stdio: 'ignore',
  });
  const read = (sql: string): number[] => {
    const database = openDatabase(path, { readonly: true });
    try {
      return database.prepare<[], number>(sql).pluck().all();
    } finally {
      database.close();
    }
  };
  const times = (series: string, label: string): number[] =>
    read(
      `SELECT timestamp_ms FROM samples JOIN series ON series.id = series_id
       WHERE name = '${series}' AND tags LIKE '%${label}%' ORDER BY timestamp_ms`,
    );
  await until(
    'each target was scraped often enough',
    () => pages.every((_, at) => times('up', `"t${at}"`).length >= scrapes),
    55_000,
  );
  const status = readFileSync(`/proc/${collector.pid}/status`, 'utf8');
  const ended = once(collector, 'exit') as Promise<[number | null, string | null]>;
  collector.kill('SIGTERM');
  expect(await ended).toEqual([0, null]);
  const cpu = times('cpu.usage_percent', '"all"');
  return {
    peakMiB: Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)![1]) / 1024,
    gapMs: Math.max(...cpu.slice(1).map((time, index) => time - cpu[index]!)),
  };
}

test('exporters: three pages of 4 MiB of short lines take little memory, and delay no other collector', async () => {
  const [equal, distinct, labeled] = [
    fill(() => 'a 1'),
    fill((index) => `b${index.toString(36)} 1`),
    fill((index) => `c{d="${index.toString(36)}"} 1`),
  ] as const;
  // As many series as are stored of each, in pages that are small.
  const start = (page: Buffer): Buffer => page.subarray(0, page.lastIndexOf(10, 60_000) + 1);
  const usual = await measure(
    'usual',
    [equal, distinct, labeled].map((page) => () => start(page)),
  );
  const huge = await measure(
    'huge',
    [equal, distinct, labeled].map((page) => () => page),
  );
  expect(huge.peakMiB).toBeLessThan(usual.peakMiB + 60);
  expect(huge.gapMs).toBeLessThan(1_500);
});

test('exporters: a name of 4 MiB that is new at each scrape is not remembered', async () => {
  let turn = 0;
  const page = (): Buffer => Buffer.from(`{"${String((turn += 1)).padEnd(PAGE_BYTES - 100, 'x')}"} 1\n`);
  const { peakMiB, gapMs } = await measure('long', [page], 30);
  // It was 160 to 184 MiB, and 263 with a cache that keeps such names.
  expect(peakMiB).toBeLessThan(220);
  expect(gapMs).toBeLessThan(1_500);
});
