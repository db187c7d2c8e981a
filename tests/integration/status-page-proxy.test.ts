import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { startNginxServer, type RunningPath } from '../support/paths/proxies.ts';

/** The nginx of docs/security.md before the status page. */

const ADDRESS_OF_PAGE = 'http://127.0.0.1:9109';
let agents: AgentPair;
let nginx: RunningPath;

beforeAll(async () => {
  agents = new AgentPair({ REMOTE_URL: 'http://127.0.0.1:9/api/v1/import' });
  agents.start('collector');
  const endpoint = await endpointOf(agents.start('uploader'));
  const text = readFileSync(join(import.meta.dirname, '../../docs/security.md'), 'utf8');
  const [, block = ''] = /^```nginx\n([\s\S]*?)^```/m.exec(text) ?? [];
  nginx = await startNginxServer((port, folder) => {
    writeFileSync(join(folder, 'users'), 'ann:{PLAIN}a password\n');
    return block
      .replace('listen 9110;', `listen 127.0.0.1:${port};`)
      .replace('/etc/nginx/thugshells.htpasswd', join(folder, 'users'))
      .replace(ADDRESS_OF_PAGE, new URL(endpoint).origin);
  });
});
afterAll(async () => {
  await nginx?.stop();
  await agents.remove();
});

/** Asks nginx under the name by which a browser in the network knows the device. */
async function ask(path: string, password?: string): Promise<{ readonly status: number; readonly text: string }> {
  const response = await fetch(`http://127.0.0.1:${nginx.port}${path}`, {
    headers: {
      connection: 'close',
      ...(password === undefined
        ? {}
        : { authorization: `Basic ${Buffer.from(`ann:${password}`).toString('base64')}` }),
    },
  });
  return { status: response.status, text: await response.text() };
}

test('the status page behind the documented nginx: refused without the password, whole with it', async () => {
  expect((await ask('/')).status).toBe(401);
  expect((await ask('/', 'a guess')).status).toBe(401);
  const page = await ask('/', 'a password');
  expect([page.status, page.text]).toEqual([200, expect.stringContaining('<html')]);
  const metrics = await ask('/metrics', 'a password');
  expect([metrics.status, metrics.text]).toEqual([200, expect.stringContaining('uploader_health_status')]);
  const history = await ask('/history.json', 'a password');
  expect(history.status).toBe(200);
});
