import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import {
  toOutcome,
  parseRetryAfter,
  type ReceiverResponse,
} from '../../../../uploader/src/transport/response-outcome.ts';

const SENT = 50;
const portal = '<!DOCTYPE html>\n<html><head><title>Hotel WLAN</title></head><body>Please log in</body></html>';

function outcome(status: number, body: unknown = '', more: Partial<ReceiverResponse> = {}) {
  return toOutcome({ status, body: typeof body === 'string' ? body : JSON.stringify(body), ...more }, SENT);
}

describe('response outcome: a chunk is delivered by', () => {
  test.each([
    ['204 without a body, as VictoriaMetrics responds', 204, ''],
    ['200 without a body', 200, ''],
    ['202 with white space', 202, ' \r\n'],
    ['an empty object', 200, {}],
    ['an object whose status is ok', 200, { status: 'ok', took_ms: 3 }],
    ['an object whose status is success', 200, { status: 'Success' }],
    ['an object that is ok', 200, { ok: true }],
    ['an object whose error is null', 200, { error: null, errors: [], success: true, ok: true }],
    ['accepted: all of them', 200, { accepted: SENT }],
    ['accepted: all of them, and an empty list of rejected ones', 200, { accepted: SENT, rejected: [] }],
    ['accepted: all of them, and null for the rejected ones', 200, { accepted: SENT, rejected: null }],
  ])('%s', (_, status, body) => {
    expect(outcome(status, body)).toEqual({ kind: 'delivered' });
  });
});

describe('response outcome: without the X-Server-Hostname that came with what was delivered last', () => {
  test.each([
    [200, ''],
    [200, { status: 'ok' }],
    [202, ''],
  ])('%d with %j delivers nothing', (status, body) =>
    expect(outcome(status, body, { lacksServerHeader: true })).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining('from something that is no receiver'),
    }),
  );

  test('204 delivers', () => expect(outcome(204, '', { lacksServerHeader: true })).toEqual({ kind: 'delivered' }));
});

describe('response outcome: a part of a chunk is accepted by', () => {
  test.each([1, 25, 49])('accepted: %d, which are the first ones (A-15)', (accepted) => {
    expect(outcome(200, { accepted })).toEqual({ kind: 'partial', accepted, rejected: [] });
  });

  test('accepted and rejected ones that are named, with their reasons', () => {
    const rejected = [
      { index: 3, reason: 'too old' },
      { index: 49, reason: 'bad label' },
    ];
    expect(outcome(200, { accepted: 48, rejected })).toEqual({ kind: 'partial', accepted: 48, rejected });
  });

  test('a rejection without a reason', () => {
    const expected = { kind: 'partial', accepted: 49, rejected: [{ index: 0, reason: 'no reason given' }] };
    expect(outcome(200, { accepted: 49, rejected: [{ index: 0 }] })).toEqual(expected);
  });
});

describe('response outcome: nothing is accepted, and the chunk is retried, after', () => {
  test.each([
    ['a captive portal’s page', 200, portal],
    ['a text', 200, 'OK'],
    ['a JSON text, number, list or null: "OK"', 200, '"OK"'],
    ['a JSON number', 200, '50'],
    ['a JSON list', 200, '[]'],
    ['a JSON null', 200, 'null'],
    ['truncated JSON', 200, '{"accepted": 5'],
    ['an object that names an error', 200, { error: 'disk full' }],
    ['an object that names errors', 200, { errors: ['disk full'] }],
    ['an object whose status is an error', 200, { status: 'error' }],
    ['an object whose status is a failure', 200, { status: 'Failed' }],
    ['an object without success', 200, { success: false }],
    ['an object that is not ok', 200, { ok: false }],
    ['the answer of a captive portal’s API', 200, { captive: true, 'user-portal-url': 'https://portal.example/' }],
    ['a gateway that puts its status into the body', 200, { code: 401, message: 'unauthorized' }],
    ['an object without a known success', 200, { message: 'no such route' }],
    ['an object whose status is unknown', 200, { status: 'maintenance' }],
    ['an object with a known success and an error', 200, { status: 'success', error: 'no such tenant' }],
    ['an object whose success is a text', 200, { success: 'true' }],
    ['a portal that reports its own success', 200, { status: 'ok', captive: true }],
    ['a portal that leads to its login', 200, { success: true, redirect_url: 'http://login.example/' }],
    ['203 without a body, which is a proxy’s', 203, ''],
    ['205 without a body', 205, ''],
    ['206 without a body', 206, ''],
    ['accepted: none', 200, { accepted: 0 }],
    ['accepted: more than were sent', 200, { accepted: SENT + 1 }],
    ['accepted: fewer than none', 200, { accepted: -1 }],
    ['accepted: a fraction', 200, { accepted: 2.5 }],
    ['accepted: a text', 200, { accepted: '25' }],
    ['accepted: null', 200, { accepted: null }],
    ['accepted: a list', 200, { accepted: [1, 2] }],
    ['rejected ones that are no list', 200, { accepted: 48, rejected: 2 }],
    ['a rejected index beyond the chunk', 200, { accepted: 49, rejected: [{ index: SENT }] }],
    ['a rejected index below 0', 200, { accepted: 49, rejected: [{ index: -1 }] }],
    ['a rejected index that is a text', 200, { accepted: 49, rejected: [{ index: '3' }] }],
    ['a rejection that is null', 200, { accepted: 49, rejected: [null] }],
    ['one index that is rejected twice', 200, { accepted: 48, rejected: [{ index: 3 }, { index: 3 }] }],
    ['more accepted and rejected ones than were sent', 200, { accepted: SENT, rejected: [{ index: 3 }] }],
    ['samples that are neither accepted nor rejected', 200, { accepted: 40, rejected: [{ index: 3 }] }],
    ['408', 408, ''],
    ['425', 425, ''],
    ['429', 429, ''],
    ['500', 500, ''],
    ['502', 502, portal],
    ['503', 503, ''],
    ['504', 504, ''],
    ['599', 599, ''],
  ])('%s', (_, status, body) => {
    const result = outcome(status, body);
    expect(result).toEqual({ kind: 'retry', reason: expect.any(String) });
    expect('reason' in result && result.reason).not.toBe('');
  });
});

test('response outcome: an empty page is no receiver’s, whatever its status but 204', () => {
  const contentType = 'text/html; charset=utf-8';
  expect(outcome(200, '', { contentType })).toEqual({
    kind: 'retry',
    reason: expect.stringMatching(
      /^HTTP 200 from something that is no receiver: an empty page of type text\/html; charset=utf-8; check THUGS/,
    ),
  });
  expect(outcome(202, '\n', { contentType: 'TEXT/HTML' }).kind).toBe('retry');
  expect(outcome(204, '', { contentType }).kind).toBe('delivered');
  expect(outcome(200, '', { contentType: 'application/json' }).kind).toBe('delivered');
  expect(outcome(200, '', { contentType, hasNoContentBefore: true }).kind).toBe('retry');
});

test.each(['text/plain', 'application/octet-stream', 'text/xml'])(
  'response outcome: an empty 200 of type %s is the receiver’s only if it has responded with 204 before',
  (contentType) => {
    expect(outcome(200, '', { contentType })).toMatchObject({
      kind: 'retry',
      reason: expect.stringContaining(
        `HTTP 200 from something that is no receiver: an empty page of type ${contentType}; `,
      ),
    });
    expect(outcome(200, '', { contentType, hasNoContentBefore: true }).kind).toBe('delivered');
  },
);

describe('response outcome: the chunk is rejected, and bisected, after', () => {
  test.each([400, 413, 422])('%d', (status) => {
    expect(outcome(status, 'cannot parse line')).toEqual({
      kind: 'rejected',
      reason: `HTTP ${status}: cannot parse line`,
    });
  });
});

describe('response outcome: everything is held after', () => {
  test.each([402, 406, 410, 418, 451])('%d', (status) => {
    expect(outcome(status)).toEqual({ kind: 'hold', reason: `HTTP ${status}` });
  });

  test.each([
    [401, 'THUGSHELLS_REMOTE_TOKEN_FILE'],
    [403, 'THUGSHELLS_REMOTE_TOKEN_FILE'],
    [404, 'THUGSHELLS_REMOTE_URL'],
    [405, 'THUGSHELLS_REMOTE_URL'],
    [407, 'http_proxy'],
  ])('%d; the reason names %s', (status, variable) => {
    expect(outcome(status, 'own words')).toEqual({
      kind: 'hold',
      reason: expect.stringMatching(new RegExp(`^HTTP ${status}: own words; .*; .*${variable}`)),
    });
  });

  test.each(['', '\n'])('a 401 whose body is %j, by its status alone', (body) => {
    expect(outcome(401, body)).toEqual({
      kind: 'hold',
      reason: expect.stringMatching(/^HTTP 401; the receiver requires /),
    });
  });

  test.each([301, 302, 303, 307, 308])('%d, which is not followed; the reason names its target', (status) => {
    expect(outcome(status, '', { location: 'https://login.example/' })).toEqual({
      kind: 'hold',
      reason: expect.stringContaining('https://login.example/'),
    });
  });

  test('a redirect whose target is longer than a message, and would clear the screen', () => {
    const target = `http://x/\x9b2J${'long'.repeat(3_000)}`;
    const { reason } = toOutcome({ status: 302, body: '', location: target }, SENT) as { reason: string };
    expect(reason).toMatch(/^HTTP 302 redirects to http:\/\/x\/\\u009b2Jlong\S+…, which is not followed$/);
    expect(reason.length).toBeLessThan(260);
  });

  test('a redirect without a target', () => {
    expect(outcome(302).kind).toBe('hold');
  });
});

test('response outcome: a response of any status and body has an outcome, and accepts no more than was sent', () => {
  fc.assert(
    fc.property(fc.integer({ min: 200, max: 999 }), fc.oneof(fc.json(), fc.string()), (status, body) => {
      const result = toOutcome({ status, body }, SENT);
      expect(['delivered', 'partial', 'rejected', 'retry', 'hold']).toContain(result.kind);
      if (result.kind === 'partial') expect(result.accepted + result.rejected.length).toBeLessThanOrEqual(SENT);
      if (status > 299) expect(['delivered', 'partial']).not.toContain(result.kind);
    }),
  );
});

describe('reason of an outcome:', () => {
  test('names what responded, so that health can report a captive portal', () => {
    expect(outcome(200, portal)).toMatchObject({ reason: expect.stringMatching(/no receiver.*Hotel WLAN/) });
  });

  test('is one short line, not a page', () => {
    const { reason } = outcome(500, `${'long\n'.repeat(5_000)}`) as { reason: string };
    expect(reason.length).toBeLessThan(200);
    expect(reason).not.toContain('\n');
  });
});

describe('Retry-After:', () => {
  const date = 'Tue, 14 Nov 2023 22:13:20 GMT';

  test.each([
    ['seconds', '7', undefined, 7_000],
    ['no wait', '0', undefined, 0],
    ['white space around', ' 12 ', undefined, 12_000],
    ['more than 15 minutes', '86400', undefined, 900_000],
    ['a date, compared with the response’s own Date', 'Tue, 14 Nov 2023 22:14:20 GMT', date, 60_000],
    ['a date in the past', 'Tue, 14 Nov 2023 22:00:00 GMT', date, 0],
    ['a date far ahead', 'Wed, 15 Nov 2023 22:13:20 GMT', date, 900_000],
    [
      'a date in a response without a Date: this device’s clock may be wrong',
      'Tue, 14 Nov 2023 22:14:20 GMT',
      undefined,
      undefined,
    ],
    ['a date in a response whose Date is invalid', 'Tue, 14 Nov 2023 22:14:20 GMT', 'today', undefined],
    ['an invalid text', 'soon', date, undefined],
    ['nothing', undefined, date, undefined],
  ])('is parsed if it holds %s', (_, value, answered, expected) => {
    expect(parseRetryAfter(value, answered)).toBe(expected);
  });

  test.each([429, 503, 408])('is heeded with status %d', (status) => {
    expect(outcome(status, '', { retryAfter: '7' })).toEqual({
      kind: 'retry',
      reason: `HTTP ${status}`,
      retryAfterMs: 7_000,
    });
  });
});
