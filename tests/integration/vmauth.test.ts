import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type Server } from 'node:http';
import { createServer as createTcpServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentProcess } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { findProgram } from '../../deploy/scripts/programs.ts';
import { readBooks, findDifferences, toStoredPoints, readStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

/** Where a VictoriaMetrics cluster takes what a single server takes at /api/v1/import. */
const VMINSERT = '/insert/42/prometheus';

const PASSWORD = 'pass:wörd of the board';

let folder: string;
let server: VictoriaMetrics;
let vminsert: Server;
let vmauth: ChildProcess;
let vmauthUrl: string;
const paths = new Set<string>();

async function freePort(): Promise<number> {
  const taken = createTcpServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, 'close');
  return port;
}

/** Stands where a cluster's vminsert would: hands what comes to the tenant's path on to a single server. */
async function startVminsert(): Promise<Server> {
  const proxy = createServer((request, response) => {
    const { pathname } = new URL(request.url!, server.url);
    paths.add(pathname);
    if (!pathname.startsWith(VMINSERT)) return void response.writeHead(404).end();
    const onward = httpRequest(
      server.url + pathname.slice(VMINSERT.length),
      { method: request.method!, headers: request.headers },
      (answer) => answer.pipe(response.writeHead(answer.statusCode!, answer.headers)),
    );
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return proxy;
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'vmauth-'));
  server = await startVictoriaMetrics();
  vminsert = await startVminsert();
  const config = join(folder, 'auth.yml');
  const behind = `http://127.0.0.1:${(vminsert.address() as AddressInfo).port}`;
  writeFileSync(
    config,
    `users:\n- bearer_token: "right.token"\n  url_prefix: "${behind}"\n- username: "board"\n  password: "${PASSWORD}"\n  url_prefix: "${behind}"\n`,
  );
  const port = await freePort();
  vmauth = spawn(await findProgram('vmauth'), [`-auth.config=${config}`, `-httpListenAddr=127.0.0.1:${port}`], {
    stdio: 'ignore',
  });
  vmauthUrl = `http://127.0.0.1:${port}`;
  await until('vmauth answers', async () => (await fetch(`${vmauthUrl}/health`).catch(() => undefined))?.ok === true);
});

afterEach(async () => {
  vmauth.kill('SIGKILL');
  vminsert.close();
  vminsert.closeAllConnections();
  await server.stop();
  rmSync(folder, { recursive: true });
});

test('through vmauth to a cluster’s path everything arrives once, as soon as the token in its file is the right one', async () => {
  const database = join(folder, 'metrics.db');
  const token = join(folder, 'token');
  fillDatabase(database, { samples: 5_000, series: 50, deviceId: 'board-1' });
  writeFileSync(token, 'wrong.token\n');
  chmodSync(token, 0o600);
  const uploader = new AgentProcess('uploader', {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_REMOTE_URL: `${vmauthUrl}${VMINSERT}/api/v1/import`,
    THUGSHELLS_REMOTE_TOKEN_FILE: token,
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
  });
  try {
    await until('it is refused', () => uploader.told('uploads paused: rejected by receiver').length > 0);
    expect(readBooks(database)).toMatchObject({ delivered: 0, pending: 5_000, rejected: 0 });
    expect(uploader.told('uploads paused: rejected by receiver')[0]!['error']).toMatch(
      /^HTTP 40[01]: .*; check THUGSHELLS_REMOTE_TOKEN_FILE/,
    );
    writeFileSync(token, 'right.token\n');
    await until('everything is delivered', () => readBooks(database).pending === 0);
    await uploader.stop();
    expect(paths).toContain(`${VMINSERT}/api/v1/import`);
    expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
    expect(uploader.lines.join('\n')).not.toMatch(/right\.token|wrong\.token/);
  } finally {
    await uploader.kill('SIGKILL');
  }
});

test('through vmauth everything arrives by user and password, as soon as the password in its file is the right one', async () => {
  const database = join(folder, 'metrics.db');
  const password = join(folder, 'password');
  fillDatabase(database, { samples: 1_000, series: 50, deviceId: 'board-1' });
  writeFileSync(password, 'wrong of the board', { mode: 0o600 });
  const uploader = new AgentProcess('uploader', {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_REMOTE_URL: `${vmauthUrl}${VMINSERT}/api/v1/import`,
    THUGSHELLS_REMOTE_USER: 'board',
    THUGSHELLS_REMOTE_PASSWORD_FILE: password,
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_HEALTH_PORT: '0',
  });
  try {
    await until('it is refused', () => uploader.told('uploads paused: rejected by receiver').length > 0);
    expect(readBooks(database)).toMatchObject({ delivered: 0, pending: 1_000, rejected: 0 });
    writeFileSync(password, `${PASSWORD}\n`);
    await until('everything is delivered', () => readBooks(database).pending === 0);
    await uploader.stop();
    expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
    expect(uploader.lines.join('\n')).not.toMatch(/of the board|Ym9hcmQ6/);
  } finally {
    await uploader.kill('SIGKILL');
  }
});
