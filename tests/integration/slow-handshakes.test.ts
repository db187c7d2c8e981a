import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import {
  connect,
  createServer as createSocketServer,
  type AddressInfo,
  type LookupFunction,
  type Socket,
} from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

import { afterEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { HttpTransport, type HttpTransportOptions } from '../../uploader/src/transport/http-transport.ts';
import type { SendResult } from '../../uploader/src/transport/transport.ts';
import { VictoriaMetricsProtocol } from '../../uploader/src/transport/victoriametrics.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { createCredentials } from '../support/uploader/direct-connection.ts';
import { madeChunk } from '../support/uploader/made-chunk.ts';

const DAY = 86_400_000;
/** After so long Node.js tries the next address by default. */
const NODE_DEFAULT_MS = 250;

const folder = useTemporaryFolder();
const ends: (() => unknown)[] = [];
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
});

/** A name with two addresses, at the second of which nothing listens. */
const lookup = ((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) => {
  const all = ['127.0.0.1', '127.0.0.2'].map((address) => ({ address, family: 4 }));
  return options.all === true ? done(null, all) : done(null, '127.0.0.1', 4);
}) as LookupFunction;

async function listen(server: ReturnType<typeof createSocketServer>): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => server.close());
  return (server.address() as AddressInfo).port;
}

/** A receiver over TLS for `receiver.test`. */
async function startTlsReceiver(): Promise<{ readonly port: number; readonly caFile: string }> {
  const authority = new TestAuthority(folder.path(''), 'ours');
  const dates = { notBeforeMs: Date.now() - DAY, notAfterMs: Date.now() + DAY };
  const server = createTlsServer(
    authority.issue({ subjectAltName: 'DNS:receiver.test', ...dates }),
    (request, response) => request.resume().once('end', () => response.writeHead(204).end()),
  );
  ends.push(() => server.closeAllConnections());
  return { port: await listen(server), caFile: authority.file };
}

/** Hands connections on to a port, after a TCP handshake of more than a second. */
async function startSlowListener(targetPort: number): Promise<number> {
  const child = fork(new URL('../support/slow-listener.mjs', import.meta.url), [String(targetPort)]);
  ends.push(() => child.kill('SIGKILL'));
  const { port } = await nextMessage<{ port: number }>(child);
  child.send('block');
  await nextMessage(child);
  for (let waiting = 0; waiting < 4; waiting++) {
    const socket = connect(port, '127.0.0.1').on('error', () => undefined);
    ends.push(() => socket.destroy());
  }
  await sleep(50);
  return port;
}

async function nextMessage<M>(child: ChildProcess): Promise<M> {
  const [message] = (await once(child, 'message')) as [M];
  return message;
}

/** Hands connections on to a port, each byte later by so much. */
function startSlowRelay(targetPort: number, delayMs: number): Promise<number> {
  const carry = async (part: Buffer, to: Socket): Promise<void> => {
    await sleep(delayMs);
    to.write(part);
  };
  return listen(
    createSocketServer((socket) => {
      const onward = connect(targetPort, '127.0.0.1');
      for (const each of [socket, onward]) ends.push(() => each.on('error', () => undefined).destroy());
      socket.on('data', (part: Buffer) => void carry(part, onward));
      onward.on('data', (part: Buffer) => void carry(part, socket));
    }),
  );
}

async function startProxy(): Promise<number> {
  const proxy = createServer().on('connect', (request: IncomingMessage, socket: Socket) => {
    const onward = connect(Number(request.url!.split(':')[1]), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.pipe(socket).pipe(onward);
    });
    for (const each of [socket, onward]) ends.push(() => each.on('error', () => undefined).destroy());
  });
  return listen(proxy);
}

function post(port: number, options: Partial<HttpTransportOptions>): Promise<SendResult> {
  const transport = new HttpTransport({
    clock: systemClock,
    protocol: new VictoriaMetricsProtocol(),
    remoteUrl: `https://receiver.test:${port}/api/v1/import`,
    remoteTimeoutMs: 20_000,
    credentials: createCredentials({}),
    proxyFor: () => '',
    lookup,
    ...options,
  });
  ends.push(() => transport.close());
  return transport.send(madeChunk(5), new AbortController().signal);
}

describe('a name with two addresses: samples are delivered over TLS', () => {
  test('although the TCP handshake takes more than a second', async () => {
    const { port, caFile } = await startTlsReceiver();
    const credentials = createCredentials({ remoteCaFile: caFile });
    const result = await post(await startSlowListener(port), { credentials });
    expect([result.outcome.kind, result.durationMs > NODE_DEFAULT_MS]).toEqual(['delivered', true]);
  });

  test('although the TLS handshake takes more than a second', async () => {
    const { port, caFile } = await startTlsReceiver();
    const credentials = createCredentials({ remoteCaFile: caFile });
    const result = await post(await startSlowRelay(port, 2 * NODE_DEFAULT_MS), { credentials });
    expect([result.outcome.kind, result.durationMs > 4 * NODE_DEFAULT_MS]).toEqual(['delivered', true]);
  });

  test('although the TCP handshake with a proxy takes more than a second', async () => {
    const { port, caFile } = await startTlsReceiver();
    const credentials = createCredentials({ remoteCaFile: caFile });
    const proxyUrl = `http://proxy.test:${await startSlowListener(await startProxy())}`;
    const result = await post(port, { credentials, proxyFor: () => proxyUrl });
    expect([result.outcome.kind, result.durationMs > NODE_DEFAULT_MS]).toEqual(['delivered', true]);
  });
});
