import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { AgentProcess } from '../support/agent-process.ts';
import { HostileProxy, type HostileProxyOptions } from '../support/hostile-proxy.ts';
import { until } from '../support/until.ts';

let agents: AgentPair;
let proxy: HostileProxy;
let uploader: AgentProcess | undefined;

beforeEach(() => {
  // Nothing listens there: only the proxy responds.
  agents = new AgentPair({ REMOTE_URL: 'https://receiver.invalid/api/v1/import', CLOCK_SKEW_INTERVAL: '1s' });
  proxy = new HostileProxy();
});
afterEach(async () => {
  await uploader?.kill('SIGKILL');
  await proxy.close();
  await agents.remove();
});

/** A certificate that the proxy has made for the receiver's name. */
function forgeCertificate(): { readonly key: Buffer; readonly cert: Buffer } {
  const [key, cert] = ['key', 'cert'].map((name) => join(agents.folder, `${name}.pem`)) as [string, string];
  const subject = ['-subj', '/CN=receiver.invalid', '-addext', 'subjectAltName=DNS:receiver.invalid'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject, '-keyout', key, '-out', cert],
    { stdio: 'pipe' },
  );
  return { key: readFileSync(key), cert: readFileSync(cert) };
}

interface Status {
  readonly books: Readonly<Record<string, number>>;
  readonly components: Readonly<
    Record<string, { readonly message: string; readonly details: Readonly<Record<string, unknown>> }>
  >;
  readonly uploads: readonly { readonly outcome: string }[];
}

/** The uploader's status after it has tried an upload through the proxy a few times. */
async function statusThrough(options: HostileProxyOptions): Promise<Status> {
  const url = await proxy.listen(options);
  agents.start('collector');
  const environment = { ...agents.environment, https_proxy: url, NODE_TLS_REJECT_UNAUTHORIZED: '0' };
  uploader = new AgentProcess('uploader', environment);
  const endpoint = await until('it listens', () => uploader!.endpoint());
  return until('three uploads have been tried', async () => {
    const response = await fetch(new URL('/status.json', endpoint), { headers: { connection: 'close' } });
    const status = (await response.json()) as Status;
    return proxy.connects >= 6 && status.books['collected']! > 0 && status.uploads.length > 0 && status;
  });
}

const connect = (status: string, ...headers: string[]): string =>
  [`HTTP/1.1 ${status}`, ...headers, '', ''].join('\r\n');

describe('a proxy that opens no tunnel to an https receiver', () => {
  test.each<[string, string, string]>([
    ['201', connect('201 Created', 'Content-Length: 0'), 'HTTP 201 Created in response to CONNECT'],
    ['202', connect('202 Accepted', 'Content-Length: 0'), 'HTTP 202 Accepted in response to CONNECT'],
    ['204', connect('204 No Content'), 'HTTP 204 No Content in response to CONNECT'],
    ['204 with a JSON of a receiver', `${connect('204 No Content')}{"accepted":50}`, 'HTTP 204'],
    ['400, which would reject samples', connect('400 Bad Request', 'Content-Length: 0'), 'HTTP 400'],
    ['413, which would reject samples', connect('413 Too Large', 'Content-Length: 0'), 'HTTP 413'],
    [
      '407',
      connect('407 Proxy Authentication Required', 'Content-Length: 0'),
      'HTTP 407 Proxy Authentication Required',
    ],
    ['503', connect('503 Busy', 'Content-Length: 0'), 'HTTP 503'],
    ['302', connect('302 Found', 'Location: http://127.0.0.1/'), 'HTTP 302'],
    ['200, and then plain HTTP', connect('200 OK') + connect('204 No Content'), '.'],
    ['200 with a body', `${connect('200 OK', 'Content-Length: 5')}hello`, '.'],
    ['200 with chunks', `${connect('200 OK', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`, '.'],
  ])('delivers nothing by saying %s, and health says why', async (_, response, reason) => {
    const { books, components } = await statusThrough({ response });
    expect(books).toMatchObject({ delivered: 0, rejected: 0, dropped: 0 });
    expect(books['pending']).toBe(books['collected']);
    expect(components['uploader']!.message).toMatch(
      new RegExp(`(uploads fail|no upload for|receiver rejects uploads)[^]*${reason}`),
    );
    // No request is readable on the way.
    expect(proxy.received.join('')).not.toMatch(/POST|HEAD|\/api\/v1\/import/);
  });

  test('delivers nothing with a certificate of its own, whatever NODE_TLS_REJECT_UNAUTHORIZED is', async () => {
    const { books, components } = await statusThrough({ response: connect('200 OK'), tls: forgeCertificate() });
    expect(books).toMatchObject({ delivered: 0, rejected: 0, dropped: 0 });
    expect(components['uploader']!.message).toMatch(/self.signed/);
    expect(proxy.received).toEqual([]);
  });

  test('does not fill the memory with a response to CONNECT that never ends', async () => {
    const status = await statusThrough({
      response: (socket) => {
        const more = (): void => {
          while (!socket.destroyed && socket.write(`X-A: ${'a'.repeat(65_536)}`));
        };
        socket.on('drain', more);
        socket.write('HTTP/1.1 200 OK\r\n');
        more();
      },
    });
    expect(status.books).toMatchObject({ delivered: 0, rejected: 0 });
    expect(status.components['uploader']!.message).toMatch(/Header overflow|uploads fail/);
    const rss = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${uploader!.pid}/status`, 'utf8'))![1];
    expect(Number(rss) / 1024).toBeLessThan(160);
  });
});
