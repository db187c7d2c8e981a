import { beforeEach, describe, expect, test } from '@jest/globals';

import { AgentError } from '@thugshells/shared/errors.ts';

import { CertificateTime } from '../../../../uploader/src/transport/certificate-time.ts';
import { requestDate } from '../../../../uploader/src/transport/date-request.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const TRUE_NOW = Date.UTC(2030, 0, 1);
const SOURCE = 'https://user:password@time.example/';
const REMOTE = 'https://receiver.example/api/v1/import';

let clock: FakeClock;
beforeEach(() => {
  clock = new FakeClock();
});

function create(clockSkewUrl = SOURCE, proxy = '', remoteUrl = REMOTE): CertificateTime {
  const builtAtMs = TRUE_NOW - 86_400_000;
  return new CertificateTime({ clock, remoteUrl, clockSkewUrl, proxyFor: () => proxy, builtAtMs });
}

describe('certificate time: counts as authenticated', () => {
  test.each([
    [SOURCE, true],
    ['http://127.0.0.1:8080/', true],
    ['http://localhost/', true],
    ['https://[::1]/', true],
    ['http://time.example/', false],
    ['http://192.168.1.1/', false],
    ['https://receiver.example/health', false],
    ['https://receiver.example:8443/', false],
  ])('%s: %s', (url, expected) => expect(create(url).isAuthenticated(url)).toBe(expected));

  test('no URL that was not configured', () =>
    expect(create('').isAuthenticated('https://receiver.example/health')).toBe(false));

  test('nothing through an https proxy, whose certificate would be judged in the trial too', () => {
    expect(create(SOURCE, 'https://proxy.example:3128').isAuthenticated(SOURCE)).toBe(false);
    expect(create(SOURCE, 'http://proxy.example:3128').isAuthenticated(SOURCE)).toBe(true);
  });

  test('no response of the receiver itself on this device', () => {
    const url = 'https://127.0.0.1:8443/health';
    expect(create(url, '', 'https://127.0.0.1:8443/api/v1/import').isAuthenticated(url)).toBe(false);
  });
});

test('certificate time: a connection that was opened before a trial or in it may not be used', async () => {
  const time = create();
  const before = time.watch();
  expect(before()).toBe(true);
  let inTrial: (() => boolean) | undefined;
  await time.try('none', async () => {
    inTrial = time.watch();
    expect([before(), inTrial()]).toEqual([false, false]);
  });
  expect([before(), inTrial!(), time.watch()()]).toEqual([false, false, true]);
});

describe('certificate time: a request of the time', () => {
  const fault = new AgentError('not valid yet', { code: 'CERT_NOT_YET_VALID' });
  const signal = new AbortController().signal;
  let asked: string[];

  /** Runs a request whose responses are named; an error fails it. */
  async function request(time: CertificateTime, responses: readonly (number | Error)[]): Promise<unknown> {
    asked = [];
    const requestHead = async (url: string) => {
      const response = responses[asked.push(url) - 1];
      if (typeof response !== 'number') throw response ?? new Error('no response');
      return { statusCode: 204, headers: { date: new Date(response).toUTCString() } };
    };
    return requestDate({ clock, certificateTime: time, requestHead }, SOURCE, signal);
  }

  test('learns the time by which the server’s certificate was verified, without a password before that', async () => {
    const time = create();
    await request(time, [fault, TRUE_NOW, TRUE_NOW]);
    expect(asked).toEqual([SOURCE, 'https://time.example/', 'https://time.example/']);
    const [now, later] = [TRUE_NOW, TRUE_NOW + 120_000].map((ms) => ms - clock.sinceBoot());
    expect(time.agreesWith({ bootedAtMs: now!, errorMs: 0, isProven: true })).toBe(true);
    expect(time.agreesWith({ bootedAtMs: later!, errorMs: 0, isProven: true })).toBe(false);
    // From now on it judges: one request suffices.
    await request(time, [TRUE_NOW]);
    expect(asked).toEqual([SOURCE]);
  });

  test.each<[string, readonly (number | Error)[]]>([
    ['the certificate has another fault', [new AgentError('self-signed', { code: 'SELF_SIGNED' }), TRUE_NOW, TRUE_NOW]],
    ['the certificate is not valid by the time that the server names', [fault, TRUE_NOW, fault]],
    ['two responses name two times', [fault, TRUE_NOW, TRUE_NOW + 3_600_000]],
  ])('learns nothing if %s', async (_, responses) => {
    const time = create();
    await expect(request(time, responses)).rejects.toThrow();
    expect(time.agreesWith({ bootedAtMs: TRUE_NOW - clock.sinceBoot(), errorMs: 0, isProven: true })).toBe(false);
  });

  test('learns no time from before the program was built', async () => {
    const time = create();
    const early = TRUE_NOW - 2 * 86_400_000;
    await request(time, [fault, early, early]);
    expect(time.agreesWith({ bootedAtMs: early - clock.sinceBoot(), errorMs: 0, isProven: true })).toBe(false);
  });
});
