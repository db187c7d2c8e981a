import { createServer, type RequestListener, type Server } from 'node:http';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { AgentPair, endpointOf } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';

let agents: AgentPair;
let port: number;
let impostor: Server | undefined;
/** What the uploader said before it was killed. */
let earlier: { readonly body: string; readonly headers: Readonly<Record<string, string>> };

beforeEach(async () => {
  port = await freePort();
  agents = new AgentPair({ REMOTE_URL: 'http://127.0.0.1:9/api/v1/import', HEALTH_PORT: String(port) });
  agents.start('collector');
  const uploader = agents.start('uploader');
  const endpoint = await endpointOf(uploader);
  const running = await until('the running uploader is found', async () => {
    const seen = await runToEnd('uploader', agents.environment, ['status']);
    return seen.stdout.includes('uploader up') && seen;
  });
  expect(running.stderr).toBe('');
  const response = await fetch(new URL('/status.json', endpoint), {
    headers: { connection: 'close', 'x-thugshells-nonce': 'a'.repeat(32) },
  });
  earlier = {
    body: await response.text(),
    headers: { 'x-thugshells-proof': response.headers.get('x-thugshells-proof')! },
  };
  await uploader.kill('SIGKILL');
}, 60_000);
afterEach(async () => {
  impostor?.closeAllConnections();
  await new Promise((resolve) => (impostor === undefined ? resolve(0) : impostor.close(resolve)));
  await agents.remove();
});

describe('status command: another program on the uploader’s port', () => {
  const endless: RequestListener = (_, response) => {
    const more = (): void => {
      while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
    };
    response.on('drain', more);
    more();
  };
  test.each<[string, RequestListener, string]>([
    ['without an end to its response', endless, 'is longer than 1048576 bytes'],
    [
      'that repeats an earlier response with its proof',
      (_, response) => void response.writeHead(200, earlier.headers).end(earlier.body),
      'does not prove',
    ],
    [
      'that says the device is ok',
      (_, response) => void response.end(earlier.body.replaceAll(/"(degraded|error)"/g, '"ok"')),
      'does not prove',
    ],
    ['that does not respond', () => undefined, 'no complete response within 3 s'],
  ])(
    'is not believed: the last report of the database is printed, and a line says so (%s)',
    async (_, listener, reason) => {
      expect(earlier.headers['x-thugshells-proof']).toMatch(/^[0-9a-f]{64}$/);
      impostor = createServer(listener);
      await new Promise<void>((resolve) => impostor!.listen(port, '127.0.0.1', resolve));
      const { code, stdout, stderr } = await runToEnd('uploader', agents.environment, ['status', '--json']);
      const printed = JSON.parse(stdout) as { uptime_seconds: number; components: Record<string, { message: string }> };
      expect([printed.uptime_seconds, printed.components['uploader']!.message]).toEqual([
        0,
        expect.stringContaining('not running'),
      ]);
      expect(stderr).toMatch(
        new RegExp(
          `^cannot get the status from http://127.0.0.1:${port}/: .*${reason}.*; what follows is the last report in the database$`,
        ),
      );
      expect([1, 2]).toContain(code);
    },
    90_000,
  );
});
