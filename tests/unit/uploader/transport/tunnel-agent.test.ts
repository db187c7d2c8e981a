import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { HostileProxy } from '../../../support/hostile-proxy.ts';
import { directConnection } from '../../../support/uploader/direct-connection.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';

let proxy: HostileProxy;
let remote: HttpTransport;
const never = new AbortController().signal;

beforeEach(() => {
  proxy = new HostileProxy();
});
afterEach(async () => {
  remote.close();
  await proxy.close();
});

async function through(response: string): Promise<HttpTransport> {
  const proxyUrl = await proxy.listen({ response });
  const remoteUrl = 'https://receiver.invalid/api/v1/import';
  const protocol = new VictoriaMetricsProtocol();
  const options = { ...directConnection, clock: systemClock, protocol, remoteUrl, remoteTimeoutMs: 20_000 };
  remote = new HttpTransport({ ...options, proxyFor: () => proxyUrl });
  return remote;
}

describe('tunnel through a proxy:', () => {
  test.each([
    ['201 Created', 'retry', 'TUNNEL_FAILED'],
    ['204 No Content', 'retry', 'TUNNEL_FAILED'],
    ['299 Fine', 'retry', 'TUNNEL_FAILED'],
    ['429 Too Many Requests', 'retry', 'TUNNEL_FAILED'],
    ['502 Bad Gateway', 'retry', 'TUNNEL_FAILED'],
    ['400 Bad Request', 'hold', 'PROXY_REFUSED'],
    ['407 Proxy Authentication Required', 'hold', 'PROXY_REFUSED'],
    ['413 Payload Too Large', 'hold', 'PROXY_REFUSED'],
  ])('is not open after %s, which is no response of the receiver', async (status, kind, errorCode) => {
    const transport = await through(`HTTP/1.1 ${status}\r\nContent-Length: 0\r\n\r\n`);
    const result = await transport.send(madeChunk(5), never);
    expect(result).toMatchObject({ outcome: { kind, reason: expect.stringContaining(status.slice(0, 3)) }, errorCode });
    expect(result.status).toBeUndefined();
    expect(await transport.checkReceiver(never)).toBeUndefined();
    await expect(transport.requestDate('https://receiver.invalid/health', never)).rejects.toThrow('tunnel');
    expect(proxy.received).toEqual([]);
  });

  test('is not open before the proxy speaks HTTP', async () => {
    const transport = await through('SSH-2.0-x\r\n\r\n');
    expect(await transport.send(madeChunk(5), never)).toMatchObject({ outcome: { kind: 'retry' }, bytesSent: 0 });
    expect(proxy.received).toEqual([]);
  });
});
