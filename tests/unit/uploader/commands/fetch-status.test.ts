import { createServer, request, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, describe, expect, test } from '@jest/globals';

import { fetchStatus } from '../../../../uploader/src/commands/fetch-status.ts';
import { createStatusKey, NONCE_HEADER, proofHeaders } from '../../../../uploader/src/http/status-proof.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const statusKey = createStatusKey();
const status = { status: 'ok', device_id: 'board-1' };

/** Responds as the uploader that has a key. */
function uploader(key: string): RequestListener {
  const body = JSON.stringify(status);
  return ({ headers }, response) =>
    response.writeHead(200, { ...proofHeaders(key, headers[NONCE_HEADER], body) }).end(body);
}

describe('status of a running uploader:', () => {
  test('is fetched from the one that has the key in the database, which is not sent', async () => {
    let seen = '';
    const endpoint = await listen((incoming, response) => {
      seen = `${incoming.url} ${JSON.stringify(incoming.rawHeaders)}`;
      response.once('finish', () => (seen += JSON.stringify(response.getHeaders())));
      uploader(statusKey)(incoming, response);
    });
    expect(await fetchStatus({ endpoint, statusKey })).toEqual({ status });
    expect(seen).toContain('/status.json');
    expect(seen).not.toContain(statusKey);
  });

  test('is absent without a problem if nobody listens, or no uploader has ever listened', async () => {
    const endpoint = await listen(() => undefined);
    await new Promise((resolve) => servers.pop()!.close(resolve));
    expect(await fetchStatus({ endpoint, statusKey })).toEqual({});
    expect(await fetchStatus({})).toEqual({});
  });

  const unproven = 'the response does not prove that it is from the uploader of this database';
  const impostors: [string, RequestListener, string][] = [
    ['has no proof', (_, response) => response.end(JSON.stringify(status)), unproven],
    ['has the proof of another database’s uploader', uploader(createStatusKey()), unproven],
    [
      'repeats an earlier proof',
      (_, response) =>
        response
          .writeHead(200, proofHeaders(statusKey, 'a'.repeat(32), JSON.stringify(status)))
          .end(JSON.stringify(status)),
      unproven,
    ],
    [
      'has a proof that is no text of digits',
      (_, response) => response.writeHead(200, { 'x-thugshells-proof': 'zz' }).end(),
      unproven,
    ],
    ['is an error', (_, response) => response.writeHead(503).end(), 'HTTP 503'],
    [
      'never ends',
      (_, response) => {
        const more = (): void => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536, ' ')));
        };
        response.on('drain', more);
        more();
      },
      'the response is longer than 1048576 bytes',
    ],
    [
      'comes byte by byte',
      (_, response) => {
        const timer = setInterval(() => response.write(' '), 100);
        response.once('close', () => clearInterval(timer));
      },
      'no complete response within 3 s',
    ],
    ['never begins', () => undefined, 'no complete response within 3 s'],
    [
      'is cut short',
      (_, response) => void response.writeHead(200, { 'content-length': 9 }).write('1', () => response.destroy()),
      'aborted',
    ],
  ];

  test.each(impostors)('is not believed if it %s, and the problem says why', async (_, listener, reason) => {
    const endpoint = await listen(listener);
    const { status: believed, problem } = await fetchStatus({ endpoint, statusKey });
    expect(believed).toBeUndefined();
    expect(problem).toMatch(
      new RegExp(
        `^cannot get the status from ${endpoint}: .*${reason}; what follows is the last report in the database$`,
      ),
    );
  });

  test('is not believed if somebody between has changed it', async () => {
    const real = await listen(uploader(statusKey));
    const endpoint = await listen((incoming, response) => {
      request(new URL('/status.json', real), { headers: incoming.headers }, (answer) => {
        let body = '';
        answer.setEncoding('utf8').on('data', (part: string) => (body += part));
        answer.once('end', () => {
          delete answer.headers['content-length'];
          response.writeHead(200, answer.headers).end(body.replace('ok', 'oh'));
        });
      }).end();
    });
    expect((await fetchStatus({ endpoint, statusKey })).problem).toContain(unproven);
  });

  test('is not fetched from where a redirect points', async () => {
    const asked: string[] = [];
    const real = await listen((incoming, response) => {
      asked.push(incoming.url!);
      uploader(statusKey)(incoming, response);
    });
    const endpoint = await listen((_, response) => response.writeHead(307, { location: `${real}status.json` }).end());
    expect((await fetchStatus({ endpoint, statusKey })).problem).toContain('HTTP 307');
    expect(asked).toEqual([]);
  });

  test('is not believed from an uploader whose report has no key', async () => {
    const endpoint = await listen(uploader(''));
    expect((await fetchStatus({ endpoint })).problem).toContain(unproven);
  });
});
