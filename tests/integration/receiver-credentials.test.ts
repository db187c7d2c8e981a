import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { endpointOf, healthAt } from '../support/agent-pair.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { startNginx, type RunningPath } from '../support/paths/proxies.ts';
import { findDifferences, readBooks, readStoredPoints, toStoredPoints } from '../support/stored-rows.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const PASSWORD = 'p,ass word of ann';
const TENANT = 'tenant-7-of-berlin';

let folder: string;
let database: string;
let server: VictoriaMetrics;
let nginx: RunningPath;
let uploader: AgentProcess | undefined;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'receiver-credentials-'));
  database = join(folder, 'metrics.db');
  server = await startVictoriaMetrics();
  const requires = { user: 'ann', password: PASSWORD, header: 'X-Scope-OrgID', value: TENANT };
  nginx = await startNginx(Number(new URL(server.url).port), { requires });
});
afterEach(async () => {
  await uploader?.kill('SIGKILL');
  await nginx.stop();
  await server.stop();
  rmSync(folder, { recursive: true });
});

function write(name: string, text: string): string {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
}

test('receiver credentials: an nginx that requires a password and a header gets everything once both files are right, and verify reads through it', async () => {
  fillDatabase(database, { samples: 2_000, series: 50, deviceId: 'board-1' });
  const environment = {
    THUGSHELLS_DB_PATH: database,
    THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${nginx.port}/api/v1/import`,
    THUGSHELLS_REMOTE_USER: 'ann',
    THUGSHELLS_REMOTE_PASSWORD_FILE: write('password', `${PASSWORD}\r\n`),
    THUGSHELLS_REMOTE_HEADERS_FILE: write('headers', 'Host: elsewhere\n'),
    THUGSHELLS_UPLOAD_INTERVAL: '500ms',
    THUGSHELLS_PROBE_INTERVAL: '500ms',
    THUGSHELLS_CLOCK_SKEW_INTERVAL: '1s',
    THUGSHELLS_REPLAY_WINDOW: '1s',
    THUGSHELLS_LOG_LEVEL: 'debug',
    THUGSHELLS_HEALTH_PORT: '0',
  };
  const refusal = `THUGSHELLS_REMOTE_HEADERS_FILE=${folder}/headers: line 1 (Host) is set by the program itself; remove it`;
  const checked = await runToEnd('uploader', environment, ['check-config']);
  expect([checked.code, checked.stderr]).toEqual([78, expect.stringContaining(refusal)]);

  uploader = new AgentProcess('uploader', environment);
  const endpoint = await endpointOf(uploader);
  const readMessage = async (component: string): Promise<string> =>
    (await healthAt(endpoint)).report.components[component]?.message ?? '';
  await until('the file is refused', async () => (await readMessage('uploader')).includes(refusal));
  expect(await readMessage('uploader')).toBe(`receiver rejects uploads: ${refusal}`);
  write('headers', 'X-Scope-OrgID: tenant-of-somebody-else\r\n');
  await until('nginx refuses the tenant', async () => (await readMessage('uploader')).includes('HTTP 403'));
  expect(readBooks(database)).toMatchObject({ delivered: 0, pending: 2_000, rejected: 0 });
  write('password', 'a password that is wrong');
  write('headers', `# of this site\r\nX-Scope-OrgID: ${TENANT}\r\n`);
  await until('nginx refuses the password', async () => (await readMessage('uploader')).includes('HTTP 401'));
  write('password', PASSWORD);
  await until('everything is delivered', () => readBooks(database).pending === 0);
  await until('the clocks are compared', async () => (await readMessage('time')).startsWith('clock agrees'));
  expect(findDifferences(readStoredPoints(database), toStoredPoints(await server.export()))).toEqual([]);
  const verify = ['verify', '--from', '24h', '--to', 'now', '--json'];
  const verified = await runToEnd('uploader', environment, verify);
  expect([verified.code, verified.stderr]).toEqual([0, '']);
  write('headers', 'X-Scope-OrgID: tenant-of-somebody-else');
  expect((await runToEnd('uploader', environment, verify)).code).toBe(3);
  const texts = [...uploader.lines, ...uploader.problems, await readMessage('uploader'), checked.stdout].join('\n');
  expect(texts).not.toMatch(/p,ass|tenant-|a password that|Basic /);
  expect(texts).not.toContain(Buffer.from(`ann:${PASSWORD}`).toString('base64').slice(0, 16));
});
