import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { connect } from 'node:net';
import { once } from 'node:events';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { startReceiver, type Receiver } from '../../receiver/src/server.ts';

let now = 1_700_000_000_000;
let receiver: Receiver;

beforeEach(async () => {
  now = 1_700_000_000_000;
  receiver = await startReceiver({ now: () => now });
});

afterEach(() => receiver.stop());

/** A body of `count` samples of one series, a millisecond apart. */
function samples(count: number, name = 'a'): string {
  const times = Array.from({ length: count }, (_, index) => now + index);
  return `${JSON.stringify({ metric: { __name__: name }, values: times.map((_, i) => i), timestamps: times })}\n`;
}

function post(body: string | Buffer, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(`${receiver.url}/api/v1/import`, { method: 'POST', body: new Uint8Array(Buffer.from(body)), headers });
}

function storedValues(): number[] {
  return receiver.rows().map(({ value }) => value);
}

describe('an import', () => {
  test('is stored and answered with 204 and nothing else', async () => {
    const response = await post(samples(3));
    expect([response.status, await response.text()]).toEqual([204, '']);
    expect(storedValues()).toEqual([0, 1, 2]);
  });

  test('may be gzipped, in more than one member', async () => {
    await post(Buffer.concat([gzipSync(samples(2, 'a')), gzipSync(samples(1, 'b'))]), { 'Content-Encoding': 'gzip' });
    expect(receiver.counts().stored).toBe(3);
  });

  test('counts what comes again', async () => {
    await post(samples(3));
    await post(samples(2));
    expect(receiver.duplicates()).toBe(2);
  });

  test('loses malformed lines without a word', async () => {
    expect((await post(`oops\n${samples(1)}`)).status).toBe(204);
    expect(receiver.counts()).toMatchObject({ stored: 1, invalidLines: 1 });
  });

  test('that claims to be gzip and is not is answered with 400', async () => {
    expect((await post(samples(1), { 'Content-Encoding': 'gzip' })).status).toBe(400);
    expect(storedValues()).toEqual([]);
  });

  test('in zstd is stored, and answered with 400 when it is something else', async () => {
    const headers = { 'Content-Encoding': 'zstd' };
    expect((await post(zstdCompressSync(samples(2)), headers)).status).toBe(204);
    expect((await post(samples(1), headers)).status).toBe(400);
    expect(receiver.counts()).toMatchObject({ stored: 2, invalidLines: 0 });
  });

  test('whose gzip is cut short is answered with 204, though only its beginning is stored', async () => {
    const lines = Array.from({ length: 20_000 }, (_, index) => samples(1, `series_${index * 7919}`)).join('');
    const whole = gzipSync(lines);
    expect((await post(whole.subarray(0, whole.length / 2), { 'Content-Encoding': 'gzip' })).status).toBe(204);
    expect(receiver.counts().stored).toBeGreaterThan(0);
    expect(receiver.counts()).toMatchObject({ invalidLines: 0 });
  });

  test('over 64 MiB is refused with 413, however small its gzip is', async () => {
    const response = await post(gzipSync(Buffer.alloc(65 * 1024 * 1024)), { 'Content-Encoding': 'gzip' });
    expect([response.status, receiver.counts().stored]).toEqual([413, 0]);
  });
});

describe('looking at it', () => {
  test('exports JSON lines, deduplicated or raw', async () => {
    await post(samples(1));
    await post(samples(1));
    const query = `${receiver.url}/api/v1/export?match[]=${encodeURIComponent('{__name__="a"}')}`;
    const metric = '{"metric":{"__name__":"a"}';
    expect(await (await fetch(query)).text()).toBe(`${metric},"values":[0],"timestamps":[${now}]}\n`);
    const raw = await (await fetch(`${query}&reduce_mem_usage=1`)).text();
    expect(raw).toBe(`${metric},"values":[0,0],"timestamps":[${now},${now}]}\n`);
    expect(await (await fetch(`${query}&end=${now / 1000 - 1}`)).text()).toBe('');
    expect((await fetch(`${receiver.url}/api/v1/export`)).status).toBe(400);
  });

  test('answers an instant query', async () => {
    await post(samples(2));
    const answer = await (await fetch(`${receiver.url}/api/v1/query?query=a`)).json();
    expect(answer).toMatchObject({ data: { result: [{ value: [(now + 1) / 1000, '1'] }] } });
  });

  test('counts under the names that VictoriaMetrics has', async () => {
    await post(`oops\n${samples(2)}`);
    const metrics = await (await fetch(`${receiver.url}/metrics`)).text();
    expect(metrics).toContain('vm_rows_inserted_total{type="vmimport"} 2\n');
    expect(metrics).toContain('vm_rows_invalid_total{type="vmimport"} 1\n');
  });

  test('answers its health address with its own time', async () => {
    const response = await fetch(`${receiver.url}/health`);
    expect([await response.text(), response.headers.get('date')]).toEqual(['OK', 'Tue, 14 Nov 2023 22:13:20 GMT']);
    expect((await fetch(`${receiver.url}/health`, { method: 'HEAD' })).status).toBe(200);
  });

  test('remembers the requests, and which shared a connection', async () => {
    const body = gzipSync(samples(2));
    await post(body, { 'Content-Encoding': 'gzip' });
    const logged = { method: 'POST', path: '/api/v1/import', bytes: body.length, samples: 2, stored: 2, status: 204 };
    const times = { oldestMs: now, newestMs: now + 1, atMs: now, connection: expect.any(Number) };
    expect(await (await fetch(`${receiver.url}/requests`)).json()).toEqual([
      { ...logged, ...times, headers: expect.objectContaining({ 'content-encoding': 'gzip' }) },
    ]);
  });
});

test('faults are set, shown and cleared by HTTP, and a mistyped one is refused', async () => {
  const control = (method: string, body?: object) =>
    fetch(`${receiver.url}/faults`, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  expect((await control('POST', { status: 503 })).status).toBe(200);
  expect(await (await control('GET')).json()).toEqual([{ status: 503 }]);
  expect((await post(samples(1))).status).toBe(503);
  expect((await control('POST', { statsu: 503 })).status).toBe(400);
  expect((await post(samples(1))).status).toBe(503);
  await control('DELETE');
  expect((await post(samples(1))).status).toBe(204);
});

describe('an end', () => {
  test('destroys connections that are open, and leaves those who wait without an answer', async () => {
    receiver.setFaults({ hang: true });
    const idle = connect(receiver.port, '127.0.0.1');
    await once(idle, 'connect');
    const waiting = expect(post(samples(1))).rejects.toThrow();
    await arrived(1);
    await Promise.all([receiver.stop(), once(idle, 'close')]);
    await waiting;
  });

  test('of all connections leaves the receiver listening', async () => {
    const idle = connect(receiver.port, '127.0.0.1');
    await once(idle, 'connect');
    expect((await fetch(`${receiver.url}/health`)).status).toBe(200);
    receiver.dropConnections();
    await once(idle, 'close');
    expect((await post(samples(1))).status).toBe(204);
  });

  test('of the client in the middle of its body stores nothing and harms nothing', async () => {
    const client = connect(receiver.port, '127.0.0.1');
    const head = 'POST /api/v1/import HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n';
    client.write(head + samples(1));
    await arrived(1);
    client.destroy();
    await once(client, 'close');
    expect((await post(samples(1, 'b'))).status).toBe(204);
    expect(receiver.rows().map(({ metric }) => metric['__name__'])).toEqual(['b']);
  });

  test('of a pause finds the same port and the same rows', async () => {
    await post(samples(1));
    const { port } = receiver;
    await receiver.pause();
    await expect(post(samples(1))).rejects.toThrow();
    await receiver.resume();
    await post(samples(1));
    expect([receiver.port, receiver.duplicates()]).toEqual([port, 1]);
  });
});

/** Waits until so many requests have come in. */
async function arrived(count: number): Promise<void> {
  const deadline = performance.now() + 5_000;
  while (receiver.requests.length < count) {
    if (performance.now() > deadline) throw new Error('the request did not arrive in time');
    await new Promise((resolve) => setImmediate(resolve));
  }
}
