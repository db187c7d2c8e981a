import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';
import { until } from '../../../support/until.ts';

/** proc_net_tcp(5): the timer of a socket and when it fires, in hundredths of a second. */
const KEEPALIVE_TIMER = /^02:([0-9A-F]{8})$/;

let server: Server;
let transport: HttpTransport;
let clientPort: number;

beforeEach(async () => {
  server = createServer((request, response) => {
    clientPort = request.socket.remotePort!;
    request.resume();
    response.writeHead(204).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const remoteUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const protocol = new VictoriaMetricsProtocol();
  transport = new HttpTransport({
    ...directConnection,
    clock: systemClock,
    protocol,
    remoteUrl,
    remoteTimeoutMs: 5_000,
  });
});

afterEach(async () => {
  transport.close();
  await new Promise((resolve) => server.close(resolve));
});

const toSuffix = (port: number): string => `:${port.toString(16).toUpperCase().padStart(4, '0')}`;

/** Returns the seconds until the kernel probes the idle connection; undefined while it does not intend to. */
function readKeepaliveSeconds(): number | undefined {
  const rows = readFileSync('/proc/net/tcp', 'utf8').split('\n');
  // Connections to other ports may have the same port on this side.
  const serverPort = (server.address() as AddressInfo).port;
  const columns = rows
    .map((row) => row.trim().split(/\s+/))
    .find(
      ([, local, remote]) =>
        local?.endsWith(toSuffix(clientPort)) === true && remote?.endsWith(toSuffix(serverPort)) === true,
    );
  const [, when] = KEEPALIVE_TIMER.exec(columns?.[5] ?? '') ?? [];
  return when === undefined ? undefined : parseInt(when, 16) / 100;
}

test('keepalive: an idle connection costs no packet for minutes', async () => {
  const { outcome } = await transport.send(madeChunk(1), new AbortController().signal);
  expect(outcome.kind).toBe('delivered');
  await until('the kernel has set the timer', () => readKeepaliveSeconds() !== undefined);
  expect(readKeepaliveSeconds()).toBeGreaterThan(250);
});
