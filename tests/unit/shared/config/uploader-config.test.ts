import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, describe, expect, test } from '@jest/globals';

import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';
import { cleanProxyVariables, readSurroundings } from '../../../../uploader/src/surroundings.ts';

const set = (variables: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [`THUGSHELLS_${name}`, value]));

describe('uploader configuration: credentials that cannot be sent', () => {
  test.each(['REMOTE_URL', 'CLOCK_SKEW_URL'])('are refused in %s, with the remedy and without the password', (name) => {
    const load = (): unknown => loadUploaderConfig(set({ [name]: 'https://ann:100%geheim@host/x' }));
    expect(load).toThrow(
      `THUGSHELLS_${name}=https://***@host/x: has a user or a password with a % that begins no escape; write it as %25`,
    );
    expect(load).not.toThrow(/geheim/);
  });

  test('are accepted with the % written as %25', () => {
    const remoteUrl = 'https://ann:100%25geheim@host/x';
    expect(loadUploaderConfig(set({ REMOTE_URL: remoteUrl })).values).toMatchObject({ remoteUrl });
  });

  test.each([
    ['a password', { REMOTE_URL: 'https://ann:geheim@host/x' }, 'REMOTE_URL'],
    ['a user', { REMOTE_URL: 'https://geheim@host/x' }, 'REMOTE_URL'],
    [
      'a password for the clock',
      { REMOTE_URL: 'https://host/x', CLOCK_SKEW_URL: 'https://ann:geheim@host/health' },
      'CLOCK_SKEW_URL',
    ],
  ] as [string, Record<string, string>, string][])(
    'are refused if %s in a URL is beside a token file',
    (_, urls, variable) => {
      const load = (): unknown => loadUploaderConfig(set({ ...urls, REMOTE_TOKEN_FILE: '/etc/token' }));
      expect(load).toThrow(
        new RegExp(
          `^THUGSHELLS_${variable}=https://\\*\\*\\*@host/\\w+: has a user or a password, and THUGSHELLS_REMOTE_TOKEN_FILE=/etc/token has a token; only one can be sent$`,
        ),
      );
      expect(load).toThrow(expect.objectContaining({ code: 'BAD_CONFIGURATION' }));
    },
  );

  test.each([
    ['REMOTE_USER=ann', 'REMOTE_PASSWORD_FILE', { REMOTE_USER: 'ann' }],
    ['REMOTE_PASSWORD_FILE=/etc/password', 'REMOTE_USER', { REMOTE_PASSWORD_FILE: '/etc/password' }],
    ['REMOTE_CERT_FILE=/etc/cert', 'REMOTE_KEY_FILE', { REMOTE_CERT_FILE: '/etc/cert' }],
    ['REMOTE_KEY_FILE=/etc/key', 'REMOTE_CERT_FILE', { REMOTE_KEY_FILE: '/etc/key' }],
  ] as [string, string, Record<string, string>][])('%s is refused without %s', (given, missing, variables) => {
    expect(() => loadUploaderConfig(set(variables))).toThrow(
      new RegExp(`^THUGSHELLS_${given}: needs THUGSHELLS_${missing} beside it$`),
    );
  });

  test('a user is refused beside a token, and beside a user in a URL that is the receiver’s', () => {
    const user = { REMOTE_URL: 'https://host/x', REMOTE_USER: 'ann', REMOTE_PASSWORD_FILE: '/etc/password' };
    expect(loadUploaderConfig(set(user)).values).toMatchObject({ remoteUser: 'ann' });
    const load = (more: Record<string, string>) => () => loadUploaderConfig(set({ ...user, ...more }));
    expect(load({ REMOTE_TOKEN_FILE: '/etc/token' })).toThrow(
      'THUGSHELLS_REMOTE_USER=ann: is a user, and THUGSHELLS_REMOTE_TOKEN_FILE=/etc/token has a token; only one can be sent',
    );
    for (const [name, url] of [
      ['REMOTE_URL', 'https://bob:geheim@host/x'],
      ['QUERY_URL', 'https://bob:geheim@other/x'],
      ['CLOCK_SKEW_URL', 'https://bob:geheim@host/health'],
    ] as const) {
      expect(load({ [name]: url })).toThrow(`THUGSHELLS_${name}=https://***@`);
      expect(load({ [name]: url })).toThrow('and THUGSHELLS_REMOTE_USER=ann is set; only one can be sent');
      expect(load({ [name]: url })).not.toThrow(/geheim/);
    }
    expect(load({ CLOCK_SKEW_URL: 'https://bob:geheim@other/health' })).not.toThrow();
  });

  test.each(['an:n', 'an\u0007n'])('the user %j, which a header cannot carry, is refused', (user) =>
    expect(() => loadUploaderConfig(set({ REMOTE_USER: user, REMOTE_PASSWORD_FILE: '/etc/password' }))).toThrow(
      'must be a user without a colon and control characters',
    ),
  );

  test('password and headers that systemd has passed are used without a variable', () => {
    const folder = mkdtempSync(join(tmpdir(), 'credentials-'));
    for (const name of ['remote_password', 'remote_headers']) writeFileSync(join(folder, name), 'X-A: b');
    const environment = { CREDENTIALS_DIRECTORY: folder, THUGSHELLS_REMOTE_USER: 'ann' };
    expect(loadUploaderConfig(environment).values).toMatchObject({
      remotePasswordFile: join(folder, 'remote_password'),
      remoteHeadersFile: join(folder, 'remote_headers'),
    });
    rmSync(folder, { recursive: true });
  });

  test('are accepted for the clock of another server beside a token file', () => {
    const urls = { REMOTE_URL: 'https://host/x', CLOCK_SKEW_URL: 'https://ann:geheim@other/health' };
    expect(() => loadUploaderConfig(set({ ...urls, REMOTE_TOKEN_FILE: '/etc/token' }))).not.toThrow();
  });
});

describe('proxy of the environment:', () => {
  afterEach(() => {
    for (const name of ['https_proxy', 'HTTPS_PROXY', 'http_proxy', 'all_proxy', 'ALL_PROXY', 'no_proxy'])
      delete process.env[name];
  });
  const read = (variables: Record<string, string>, url = 'https://host/x') => {
    Object.assign(process.env, variables);
    cleanProxyVariables(process.env);
    return readSurroundings(process.env, [url, '']);
  };

  test.each([
    ['http://proxy:3128\r', 'other', 'http://proxy:3128'],
    ['"http://ann:geheim@proxy:3128"', '', 'http://ann:geheim@proxy:3128'],
    [" 'http://proxy:3128' \r", '"other"', 'http://proxy:3128'],
    ['http://proxy:3128', '"other,host"\r', ''],
    ["''", '', ''],
  ])('https_proxy=%j without what an environment file has around it, no_proxy=%j: %j', (proxy, noProxy, expected) => {
    const { proxyFor } = read({ https_proxy: proxy, no_proxy: noProxy });
    expect(proxyFor('https://host/x')).toBe(expected);
  });

  test.each(['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY'])(
    'a raw %% of a password is refused in %s',
    (name) => {
      expect(() => read({ [name]: 'http://ann:100%geheim@proxy:3128' })).toThrow(
        `${name}=http://***@proxy:3128/: has a user or a password with a % that begins no escape; write it as %25`,
      );
      expect(() => read({ [name]: 'http://ann:100%geheim@proxy:3128' })).not.toThrow(/geheim/);
    },
  );

  test.each([
    [
      'https_proxy',
      'socks5://proxy:1080',
      'https://host/',
      'must be the http:// or https:// address of a proxy for https:// addresses',
    ],
    [
      'http_proxy',
      'https://proxy:3128',
      'http://host/',
      'must be the http:// address of a proxy for http:// addresses',
    ],
    ['https_proxy', 'http://:99999', 'https://host/', 'must be'],
  ])('%s=%s is refused for %s', (name, proxy, url, problem) => {
    expect(() => read({ [name]: proxy }, url)).toThrow(problem);
  });

  test.each([
    ['http://localhost:8428/', false],
    ['http://localhost./', false],
    ['https://receiver.localhost/', false],
    ['http://127.0.0.1:8428/', false],
    ['http://127.9.9.9/', false],
    ['http://2130706433/', false],
    ['http://[::1]:8428/', false],
    ['http://[::ffff:127.0.0.1]/', false],
    ['http://localhost.example/', true],
    ['http://128.0.0.1/', true],
    ['http://[::2]/', true],
  ])('is asked for %s: %s', (url, expected) => {
    Object.assign(process.env, { all_proxy: 'http://proxy:3128' });
    expect(readSurroundings(process.env, [url]).proxyFor(url) !== '').toBe(expected);
  });

  test('is not looked at for a receiver on this device', () =>
    expect(() => read({ all_proxy: 'socks5://proxy:1080' }, 'http://127.0.0.1:8428/x')).not.toThrow());

  test('is accepted with its % written as %25, and not looked at for an address without a proxy', () => {
    expect(() => read({ https_proxy: 'http://ann:100%25geheim@proxy:3128' })).not.toThrow();
    expect(() => read({ https_proxy: 'http://ann:100%geheim@proxy:3128', no_proxy: 'host' })).not.toThrow();
    expect(() => read({ https_proxy: 'http://ann:100%geheim@proxy:3128' }, 'http://host/')).not.toThrow();
  });
});
