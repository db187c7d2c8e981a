import { once } from 'node:events';
import { request } from 'node:http';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import type { RunningPath } from './proxies.ts';

/** How a server of a simple kind responds. */
export interface PlainServerSettings {
  readonly version?: '1.0' | '1.1';
  /** Headers of each response. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether it closes the connection after each response. */
  readonly closes?: boolean;
  /** Whether its responses to HEAD have no Content-Length, as RFC 9110 permits. */
  readonly omitsHeadLength?: boolean;
}

interface PlainRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** A server over a plain socket that hands each request on to the receiver, and responds as old or simple servers do. */
export async function startPlainServer(receiverPort: number, settings: PlainServerSettings): Promise<RunningPath> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    let received = Buffer.alloc(0);
    socket.on('data', (part: Buffer) => {
      received = Buffer.concat([received, part]);
      const parsed = parseRequest(received);
      if (parsed === undefined) return;
      received = received.subarray(parsed.length);
      void respond(socket, parsed.request, receiverPort, settings);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    stop: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function parseRequest(received: Buffer): { readonly request: PlainRequest; readonly length: number } | undefined {
  const headLength = received.indexOf('\r\n\r\n');
  if (headLength < 0) return undefined;
  const [first = '', ...lines] = received.subarray(0, headLength).toString('latin1').split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const length = headLength + 4 + Number(headers['content-length'] ?? 0);
  if (received.length < length) return undefined;
  const [method = '', path = ''] = first.split(' ');
  return { request: { method, path, headers, body: received.subarray(headLength + 4, length) }, length };
}

async function respond(
  socket: Socket,
  asked: PlainRequest,
  receiverPort: number,
  settings: PlainServerSettings,
): Promise<void> {
  const { version = '1.1', headers = {}, closes = false, omitsHeadLength = false } = settings;
  const { status, body, more } = await forward(asked, receiverPort);
  const hasLength = status !== 204 && !(asked.method === 'HEAD' && omitsHeadLength);
  const all = { ...more, ...headers, ...(hasLength ? { 'Content-Length': String(body.length) } : {}) };
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`);
  socket.write(`HTTP/${version} ${status} Response\r\n${lines.join('')}\r\n`);
  socket.write(body);
  if (closes) socket.end();
}

interface Forwarded {
  readonly status: number;
  readonly body: Buffer;
  readonly more: Readonly<Record<string, string>>;
}

function forward({ method, path, headers, body }: PlainRequest, port: number): Promise<Forwarded> {
  return new Promise((resolve) => {
    const options = {
      host: '127.0.0.1',
      port,
      method,
      path,
      headers: { ...headers, connection: 'close' },
      agent: false,
    };
    const onward = request(options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.once('end', () => {
        const encoding = response.headers['content-encoding'];
        const more = encoding === undefined ? {} : { 'Content-Encoding': encoding };
        resolve({ status: response.statusCode!, body: Buffer.concat(parts), more });
      });
    });
    onward.once('error', () => resolve({ status: 502, body: Buffer.alloc(0), more: {} }));
    onward.end(body);
  });
}
