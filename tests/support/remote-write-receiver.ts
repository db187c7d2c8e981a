import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import {
  readMetadata,
  readSeries,
  readStarts,
  type ReadSeries,
  type RemoteWriteFormat,
} from './uploader/remote-write-messages.ts';

/** A series of a request. */
export interface ReceivedSeries extends ReadSeries {
  /** The start timestamp of each sample; 0 if there is none. */
  readonly starts: readonly number[];
}

/** A request that a receiver got. */
export interface ReceivedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly atMs: number;
  readonly body: Buffer;
  readonly version: string;
  /** Of a POST. */
  readonly series: readonly ReceivedSeries[];
  readonly metadata: readonly unknown[];
}

/** What a receiver responds. */
export interface RemoteWriteResponse {
  readonly status: number;
  /** Samples that it says to have written; `all` that it was sent. Without it the response has no count. */
  readonly written?: number | 'all';
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

const WRITTEN = 'X-Prometheus-Remote-Write-Samples-Written';

/** A receiver of remote write that responds as it is told, and remembers every request to any of its addresses. */
export class RemoteWriteReceiver {
  readonly requests: ReceivedRequest[] = [];
  /** Returns the response to a request. */
  respond: (request: ReceivedRequest) => RemoteWriteResponse;
  readonly #server: Server;

  private constructor(respond: RemoteWriteReceiver['respond']) {
    this.respond = respond;
    this.#server = createServer((incoming, outgoing) => {
      const parts: Buffer[] = [];
      incoming.on('data', (part: Buffer) => parts.push(part));
      incoming.once('end', () => {
        const { method = '', url: path = '', headers } = incoming;
        const request = read({ method, path, headers, atMs: performance.now(), body: Buffer.concat(parts) });
        this.requests.push(request);
        const { status, written, body = '', headers: more = {} } = this.respond(request);
        const count = written === 'all' ? countSamples(request) : written;
        outgoing.writeHead(status, { ...more, ...(count === undefined ? {} : { [WRITTEN]: String(count) }) }).end(body);
      });
    });
  }

  static async start(respond: RemoteWriteReceiver['respond']): Promise<RemoteWriteReceiver> {
    const receiver = new RemoteWriteReceiver(respond);
    receiver.#server.listen(0, '127.0.0.1');
    await once(receiver.#server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** The requests with samples. */
  get writes(): readonly ReceivedRequest[] {
    return this.requests.filter((request) => countSamples(request) > 0);
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    this.#server.close();
    await once(this.#server, 'close');
  }
}

export function countSamples({ series }: Pick<ReceivedRequest, 'series'>): number {
  return series.reduce((sum, { samples }) => sum + samples.length, 0);
}

function read(request: Omit<ReceivedRequest, 'version' | 'series' | 'metadata'>): ReceivedRequest {
  const version = request.headers['x-prometheus-remote-write-version']?.toString() ?? '';
  const format: RemoteWriteFormat = version.startsWith('2.') ? 'remote-write-2' : 'remote-write-1';
  if (request.body.length === 0) return { ...request, version, series: [], metadata: [] };
  const starts = readStarts(request.body, format);
  return {
    ...request,
    version,
    series: readSeries(request.body, format).map((each, index) => ({ ...each, starts: starts[index]! })),
    metadata: readMetadata(request.body, format),
  };
}
