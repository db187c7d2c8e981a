import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type LookupFunction, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TLSSocket } from 'node:tls';

import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { startReceiver } from '../receiver/src/server.ts';
import type { SendResult } from '../../uploader/src/transport/transport.ts';
import { HttpTransport, type HttpTransportOptions } from '../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../uploader/src/transport/victoriametrics.ts';
import { madeChunk } from '../support/uploader/made-chunk.ts';
import { createCredentials, directConnection } from '../support/uploader/direct-connection.ts';

let folder: string;
const ends: (() => Promise<unknown>)[] = [];
const file = (name: string): string => join(folder, name);

/** A certificate and its key for a name, signed by an authority of its own or by another one. */
function certify(name: string, signer?: string): void {
  const subject = ['-newkey', 'rsa:2048', '-nodes', '-keyout', file(`${name}.key`), '-subj', `/CN=${name}`];
  const by = signer === undefined ? [] : ['-CA', file(`${signer}.pem`), '-CAkey', file(`${signer}.key`)];
  execFileSync(
    'openssl',
    [
      'req',
      '-x509',
      ...subject,
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-days',
      '2',
      ...by,
      '-out',
      file(`${name}.pem`),
    ],
    { stdio: 'pipe' },
  );
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'thugshells-tls-'));
  for (const authority of ['ours', 'theirs']) certify(authority);
});
afterAll(() => rmSync(folder, { recursive: true }));
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function listen(server: Server, host = '127.0.0.1', port = 0): Promise<number> {
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  ends.push(
    () =>
      new Promise((resolve) => {
        server.close(resolve);
        server.closeAllConnections();
      }),
  );
  return (server.address() as AddressInfo).port;
}

function post(remoteUrl: string, options: Partial<HttpTransportOptions> = {}): Promise<SendResult> {
  return remoteOf(remoteUrl, options).send(madeChunk(5), new AbortController().signal);
}

function remoteOf(remoteUrl: string, options: Partial<HttpTransportOptions> = {}): HttpTransport {
  const remote = new HttpTransport({
    protocol: new VictoriaMetricsProtocol(),
    ...directConnection,
    clock: systemClock,
    remoteUrl,
    remoteTimeoutMs: 20_000,
    ...options,
  });
  ends.push(async () => remote.close());
  return remote;
}

describe('TLS connection to the receiver:', () => {
  const seen: (string | undefined)[] = [];

  /** Takes everything, and notes who the client says it is. */
  async function tlsReceiver(asks = false): Promise<string> {
    const key = { cert: readFileSync(file('ours.pem')), key: readFileSync(file('ours.key')) };
    const server = createTlsServer(
      { ...key, requestCert: asks, rejectUnauthorized: asks, ca: readFileSync(file('theirs.pem')) },
      (request, response) => {
        seen.push((request.socket as TLSSocket).getPeerCertificate()?.subject?.CN as string | undefined);
        request.resume().once('end', () => response.writeHead(204).end());
      },
    );
    return `https://127.0.0.1:${await listen(server)}/api/v1/import`;
  }

  test('sends nothing to a receiver of an unknown authority, and everything to one of the configured authority', async () => {
    const url = await tlsReceiver();
    expect(await post(url)).toMatchObject({
      outcome: { kind: 'retry', reason: expect.stringMatching(/self.signed/) },
      errorCode: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    });
    expect(await post(url, { credentials: createCredentials({ remoteCaFile: file('theirs.pem') }) })).toMatchObject({
      outcome: { kind: 'retry' },
    });
    expect(seen).toEqual([]);
    expect(await post(url, { credentials: createCredentials({ remoteCaFile: file('ours.pem') }) })).toMatchObject({
      outcome: { kind: 'delivered' },
    });
  });

  test('uses a new authority as soon as its file is replaced', async () => {
    const url = await tlsReceiver();
    writeFileSync(file('changing.pem'), readFileSync(file('theirs.pem')));
    const remote = remoteOf(url, { credentials: createCredentials({ remoteCaFile: file('changing.pem') }) });
    const signal = new AbortController().signal;
    expect((await remote.send(madeChunk(1), signal)).outcome.kind).toBe('retry');
    writeFileSync(file('changing.pem'), `${readFileSync(file('ours.pem'), 'utf8')}\n`);
    expect((await remote.send(madeChunk(1), signal)).outcome.kind).toBe('delivered');
  });

  test('is kept for the next request', async () => {
    const url = await tlsReceiver();
    const remote = remoteOf(url, { credentials: createCredentials({ remoteCaFile: file('ours.pem') }) });
    const { signal } = new AbortController();
    const connections: (number | undefined)[] = [];
    for (let request = 0; request < 3; request++)
      connections.push((await remote.send(madeChunk(1), signal)).connection);
    expect(connections).toEqual([1, 1, 1]);
  });

  test('presents the client certificate if the receiver requests one', async () => {
    const url = await tlsReceiver(true);
    const remoteCaFile = file('ours.pem');
    expect((await post(url, { credentials: createCredentials({ remoteCaFile }) })).outcome.kind).toBe('retry');
    seen.length = 0;
    const credentials = createCredentials({
      remoteCaFile,
      remoteCertFile: file('theirs.pem'),
      remoteKeyFile: file('theirs.key'),
    });
    expect((await post(url, { credentials })).outcome.kind).toBe('delivered');
    expect(seen).toEqual(['theirs']);
  });

  test('is encrypted end to end through a proxy', async () => {
    const url = await tlsReceiver();
    const tunnels: string[] = [];
    const proxy = createServer().on('connect', (request: IncomingMessage, socket: Socket) => {
      tunnels.push(request.url!);
      const [host, port] = request.url!.split(':');
      const onward = connect(Number(port), host, () => {
        socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
        onward.pipe(socket).pipe(onward);
      });
      for (const each of [socket, onward]) each.on('error', () => undefined);
      ends.push(async () => void [socket, onward].map((each) => each.destroy()));
    });
    const proxyUrl = `http://127.0.0.1:${await listen(proxy)}`;
    const credentials = createCredentials({ remoteCaFile: file('ours.pem') });
    const remote = remoteOf(url, { credentials, proxyFor: () => proxyUrl });
    const { signal } = new AbortController();
    expect((await remote.send(madeChunk(5), signal)).outcome).toEqual({ kind: 'delivered' });
    expect((await remote.send(madeChunk(5), signal)).outcome).toEqual({ kind: 'delivered' });
    // One tunnel for both.
    expect(tunnels).toEqual([new URL(url).host]);
  });
});

test('HTTP proxy: gets the absolute URL and the proxy’s own credentials', async () => {
  const receiver = await startReceiver();
  ends.push(() => receiver.stop());
  const asked: [string | undefined, string | undefined][] = [];
  const proxy = createServer((request: IncomingMessage, response: ServerResponse) => {
    asked.push([request.url, request.headers['proxy-authorization']]);
    const { 'proxy-authorization': _, ...headers } = request.headers;
    request.pipe(
      httpRequest(request.url!, { method: request.method!, headers }, (answer) =>
        answer.pipe(response.writeHead(answer.statusCode!)),
      ),
    );
  });
  const proxyUrl = `http://ann:s3cret@127.0.0.1:${await listen(proxy)}`;
  const remoteUrl = `${receiver.url}/api/v1/import`;
  expect((await post(remoteUrl, { proxyFor: () => proxyUrl })).outcome.kind).toBe('delivered');
  expect(asked).toEqual([[remoteUrl, `Basic ${Buffer.from('ann:s3cret').toString('base64')}`]]);
  expect(receiver.rows()).toHaveLength(5);
});

test('connection pool: finds a host that has moved at its new address with the next connection', async () => {
  const reached: string[] = [];
  const at = (address: string): Server =>
    createServer((request, response) => {
      reached.push(address);
      request.resume().once('end', () => response.writeHead(204).end());
    });
  const old = at('127.0.0.1');
  const port = await listen(old);
  await listen(at('127.0.0.2'), '127.0.0.2', port);
  let address = '127.0.0.1';
  const lookup = ((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
    options.all === true ? done(null, [{ address, family: 4 }]) : done(null, address, 4)) as LookupFunction;
  const remote = remoteOf(`http://receiver.example:${port}/api/v1/import`, { lookup });
  const signal = new AbortController().signal;
  expect((await remote.send(madeChunk(1), signal)).outcome.kind).toBe('delivered');
  address = '127.0.0.2';
  old.closeAllConnections();
  expect((await remote.send(madeChunk(1), signal)).outcome.kind).toBe('delivered');
  expect(reached).toEqual(['127.0.0.1', '127.0.0.2']);
});
