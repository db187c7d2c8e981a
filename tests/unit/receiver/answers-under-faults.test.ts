import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Fault } from '../../receiver/src/faults.ts';
import { startReceiver, type Receiver } from '../../receiver/src/server.ts';

const now = 1_700_000_000_000;
let receiver: Receiver;

beforeEach(async () => {
  receiver = await startReceiver({ now: () => now });
});

afterEach(() => receiver.stop());

/** Posts samples with the values 0 to 5 under a fault that strikes once. */
function postSixUnder(fault: Fault, signal?: AbortSignal): Promise<Response> {
  receiver.setFaults({ count: 1, ...fault });
  const values = [0, 1, 2, 3, 4, 5];
  const body = JSON.stringify({ metric: { __name__: 'a' }, values, timestamps: values.map((value) => now + value) });
  return fetch(`${receiver.url}/api/v1/import`, { method: 'POST', body, ...(signal === undefined ? {} : { signal }) });
}

function storedValues(): number[] {
  return receiver.rows().map(({ value }) => value);
}

describe('a partial acceptance', () => {
  test('stores the first ones and says how many', async () => {
    const response = await postSixUnder({ accepted: 4 });
    expect([response.status, await response.json()]).toEqual([200, { accepted: 4 }]);
    expect(storedValues()).toEqual([0, 1, 2, 3]);
  });

  test('may accept nothing', async () => {
    expect(await (await postSixUnder({ accepted: 0 })).json()).toEqual({ accepted: 0 });
    expect(storedValues()).toEqual([]);
  });

  test('may claim more than was sent', async () => {
    expect(await (await postSixUnder({ accepted: 60 })).json()).toEqual({ accepted: 60 });
    expect(storedValues()).toHaveLength(6);
  });

  test('stores all but the rejected ones and gives the reasons', async () => {
    const rejected = [
      { index: 1, reason: 'too old' },
      { index: 5, reason: 'bad label' },
    ];
    expect(await (await postSixUnder({ rejected })).json()).toEqual({ accepted: 4, rejected });
    expect(storedValues()).toEqual([0, 2, 3, 4]);
  });

  test('may stop before the last one that is not rejected', async () => {
    const rejected = [{ index: 0, reason: 'too old' }];
    expect(await (await postSixUnder({ accepted: 3, rejected })).json()).toEqual({ accepted: 3, rejected });
    expect(storedValues()).toEqual([1, 2, 3]);
  });
});

describe('any other status', () => {
  test('stores nothing, and brings its headers along', async () => {
    const response = await postSixUnder({ status: 429, headers: { 'Retry-After': '7' } });
    expect([response.status, response.headers.get('retry-after'), storedValues()]).toEqual([429, '7', []]);
  });

  test.each([
    ['all' as const, [0, 1, 2, 3, 4, 5]],
    ['half' as const, [0, 1, 2]],
    ['nothing' as const, []],
  ])('may come after %s was stored', async (store, values) => {
    expect((await postSixUnder({ status: 502, store })).status).toBe(502);
    expect(storedValues()).toEqual(values);
  });

  test('may be the page of a captive portal, which answers the health address too', async () => {
    const headers = { 'Content-Type': 'text/html' };
    const fault = { status: 200, body: '<html>Log in</html>', headers, alsoHealth: true, count: 2 };
    expect(await (await postSixUnder(fault)).text()).toBe('<html>Log in</html>');
    const health = await fetch(`${receiver.url}/health`);
    expect([await health.text(), health.headers.get('content-type')]).toEqual(['<html>Log in</html>', 'text/html']);
    expect(storedValues()).toEqual([]);
  });

  test('strikes only the bodies that are meant', async () => {
    expect((await postSixUnder({ status: 413, when: { samplesOver: 6 } })).status).toBe(204);
    expect((await postSixUnder({ status: 413, when: { samplesOver: 5 } })).status).toBe(413);
  });

  test('may announce that the connection closes', async () => {
    const response = await postSixUnder({ headers: { Connection: 'close' } });
    expect([response.status, response.headers.get('connection')]).toEqual([204, 'close']);
    expect(storedValues()).toHaveLength(6);
  });
});

describe('no answer', () => {
  test('because it was eaten after everything was stored', async () => {
    await expect(postSixUnder({ eatResponse: true })).rejects.toThrow();
    expect(storedValues()).toHaveLength(6);
    expect(receiver.requests[0]).toMatchObject({ stored: 6, status: null });
  });

  test('because the connection was cut before anything was read', async () => {
    await expect(postSixUnder({ cutConnection: true })).rejects.toThrow();
    expect(storedValues()).toEqual([]);
    expect(receiver.requests[0]).toMatchObject({ bytes: 0, status: null });
  });

  test('because it hangs, until the client has enough', async () => {
    await expect(postSixUnder({ hang: true }, AbortSignal.timeout(50))).rejects.toThrow(/timeout/);
    expect(storedValues()).toEqual([]);
  });
});

describe('a slow answer', () => {
  test('comes after its delay, with the samples stored before', async () => {
    const started = performance.now();
    const answer = postSixUnder({ delayMs: 60 });
    expect((await answer).status).toBe(204);
    // Timers may fire up to a millisecond early.
    expect(performance.now() - started).toBeGreaterThanOrEqual(59);
  });

  test('drips byte by byte', async () => {
    const started = performance.now();
    expect(await (await postSixUnder({ body: '{"ok":1}', dripMs: 10 })).text()).toBe('{"ok":1}');
    expect(performance.now() - started).toBeGreaterThanOrEqual(72);
    expect(storedValues()).toHaveLength(6);
  });
});

test('a skewed Date is on the answer and on the health address', async () => {
  const response = await postSixUnder({ dateSkewMs: -3_600_000, count: 2 });
  expect(response.headers.get('date')).toBe('Tue, 14 Nov 2023 21:13:20 GMT');
  expect((await fetch(`${receiver.url}/health`)).headers.get('date')).toBe('Tue, 14 Nov 2023 21:13:20 GMT');
});
