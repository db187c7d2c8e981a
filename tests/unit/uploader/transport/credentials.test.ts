// Longer than a test should be: each kind of credential is a table of cases, in files that are replaced, unreadable or too open.
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { startReceiver, type Receiver } from '../../../receiver/src/server.ts';
import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
import { RemoteWriteProtocol } from '../../../../uploader/src/transport/remote-write.ts';
import { VictoriaMetricsProtocol } from '../../../../uploader/src/transport/victoriametrics.ts';
import { madeChunk } from '../../../support/uploader/made-chunk.ts';
import { createCredentials } from '../../../support/uploader/direct-connection.ts';

let folder: string;
let token: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'thugshells-token-'));
  token = join(folder, 'token');
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes a file with a mode, whatever the umask. */
function write(path: string, content: string, mode = 0o600): void {
  writeFileSync(path, content);
  chmodSync(path, mode);
}

describe('bearer token:', () => {
  test('is the content of its file, without white space around it', () => {
    write(token, '  first.token-1\n');
    expect(createCredentials({ remoteTokenFile: token }).headers()).toEqual({
      authorization: 'Bearer first.token-1',
    });
  });

  test('is absent if no file is named', () => {
    expect(createCredentials({}).headers()).toEqual({});
  });

  test('is read again when the file is written, and when another one replaces it', () => {
    const credentials = createCredentials({ remoteTokenFile: token });
    write(token, 'first');
    const seen = [credentials.headers()];
    write(token, 'second');
    seen.push(credentials.headers());
    write(join(folder, 'next'), 'third.');
    renameSync(join(folder, 'next'), token);
    seen.push(credentials.headers());
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second', 'Bearer third.']);
  });

  test('has changed until the next request of an upload, also of one without samples', async () => {
    write(token, 'first');
    const remote = new HttpTransport({
      ...{ clock: systemClock, protocol: new RemoteWriteProtocol(systemClock), proxyFor: () => '' },
      ...{ remoteUrl: 'http://127.0.0.1:9/', remoteTimeoutMs: 20_000 },
      credentials: createCredentials({ remoteTokenFile: token }),
    });
    const { signal } = new AbortController();
    for (const request of [() => remote.send(madeChunk(1), signal), () => remote.ask(signal)]) {
      expect(remote.haveCredentialsChanged()).toBe(true);
      await request();
      expect(remote.haveCredentialsChanged()).toBe(false);
      write(token, 'another');
    }
    remote.close();
  });

  test('has another version when the file is written, made readable to others, removed, or back', () => {
    const credentials = createCredentials({ remoteTokenFile: token });
    write(token, 'first');
    const versions = [credentials.findVersion()];
    credentials.headers();
    const unchanged = credentials.findVersion();
    for (const change of [
      () => write(token, 'another'),
      () => chmodSync(token, 0o644),
      () => rmSync(token),
      () => write(token, 'back'),
    ]) {
      change();
      versions.push(credentials.findVersion());
    }
    expect(unchanged).toBe(versions[0]);
    expect(new Set(versions).size).toBe(versions.length);
  });

  test.each([0o640, 0o604, 0o644, 0o660, 0o601])(
    'is refused at mode %o with the reason, and used once the mode is corrected',
    (mode) => {
      const credentials = createCredentials({ remoteTokenFile: token });
      write(token, 's3cret', mode);
      const refusal = `THUGSHELLS_REMOTE_TOKEN_FILE=${token}: mode 0${mode.toString(8)} lets other users read it; it must be 0600 or narrower`;
      expect(() => credentials.headers()).toThrow(refusal);
      chmodSync(token, 0o400);
      expect(credentials.headers()).toEqual({ authorization: 'Bearer s3cret' });
      chmodSync(token, mode);
      expect(() => credentials.headers()).toThrow(refusal);
    },
  );

  test('may have any mode under systemd’s credentials, and only there', () => {
    const credentialsDirectory = join(folder, 'credentials');
    mkdirSync(credentialsDirectory);
    write(join(credentialsDirectory, 'token'), 'mine', 0o644);
    write(`${credentialsDirectory}-not`, 'other', 0o644);
    expect(
      createCredentials({ remoteTokenFile: join(credentialsDirectory, 'token'), credentialsDirectory }).headers(),
    ).toEqual({ authorization: 'Bearer mine' });
    expect(() =>
      createCredentials({ remoteTokenFile: `${credentialsDirectory}-not`, credentialsDirectory }).headers(),
    ).toThrow('mode 0644');
  });

  test('needs no variable in the folder of the package, as the error of one that names a file there says', () => {
    const remoteTokenFile = '/etc/thugshells/remote/no-such-token';
    expect(() => createCredentials({ remoteTokenFile }).headers()).toThrow(
      /^THUGSHELLS_REMOTE_TOKEN_FILE=\S+: ENOENT.*; remove the variable: systemd passes this file/,
    );
  });

  test('is read from the file that systemd has passed, unless a variable names another', () => {
    const credentialsDirectory = join(folder, 'credentials');
    mkdirSync(credentialsDirectory);
    write(join(credentialsDirectory, 'remote_token'), 'mine', 0o400);
    const environment = { CREDENTIALS_DIRECTORY: credentialsDirectory };
    expect(loadUploaderConfig(environment).values).toMatchObject({
      remoteTokenFile: join(credentialsDirectory, 'remote_token'),
      remoteCaFile: '',
    });
    expect(loadUploaderConfig({ ...environment, THUGSHELLS_REMOTE_TOKEN_FILE: token }).values.remoteTokenFile).toBe(
      token,
    );
    expect(loadUploaderConfig({}).values.remoteTokenFile).toBe('');
  });

  test.each([
    ['is empty', '\n', 'is empty'],
    ['has two lines', 'a\nb', 'cannot be a bearer token'],
    ['is no text of a header', 'schlüssel', 'cannot be a bearer token'],
  ])('is refused if it %s, and not in the message', (_, content, reason) => {
    write(token, content);
    const credentials = createCredentials({ remoteTokenFile: token });
    expect(() => credentials.headers()).toThrow(reason);
    expect(credentials.problems().join()).not.toMatch(/schl|a\nb/);
  });
});

describe('basic authentication:', () => {
  const create = () => createCredentials({ remoteUser: 'ann', remotePasswordFile: token });
  const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

  test.each([
    ['p: w?rd', 'p: w?rd'],
    ['pässword\r\n', 'pässword'],
    ['\ufeffsecret\n\n', 'secret'],
  ])('the password is the content %j of its file, without white space around it', (content, password) => {
    write(token, content);
    expect(create().headers()).toEqual({ authorization: basic(`ann:${password}`) });
  });

  test.each([
    ['is empty', ' \n', 'is empty'],
    ['has two lines', 's3cret\nmore', 'cannot be a password'],
    ['has a control character', 's3cret\0', 'cannot be a password'],
    ['is no UTF-8', Buffer.from([0x73, 0x33, 0xff]), 'cannot be a password'],
  ])('a file that %s is refused by the name of its variable, and not in the message', (_, content, reason) => {
    writeFileSync(token, content);
    chmodSync(token, 0o600);
    expect(create().problems()).toEqual([expect.stringContaining(`THUGSHELLS_REMOTE_PASSWORD_FILE=${token}: `)]);
    expect(create().problems().join()).toContain(reason);
    expect(create().problems().join()).not.toContain('s3');
  });

  test('a changed password is sent with the next request, and both stay secrets', () => {
    const credentials = create();
    const seen = ['first-one', 'second-one', 'third-one'].map((password) => {
      write(token, password);
      return credentials.headers()['authorization'];
    });
    expect(seen).toEqual(['first-one', 'second-one', 'third-one'].map((password) => basic(`ann:${password}`)));
    expect(credentials.secrets).toEqual(
      expect.arrayContaining(['third-one', seen[2]!.slice(6), 'second-one', seen[1]!.slice(6)]),
    );
  });
});

describe('file of headers:', () => {
  const create = (more: Parameters<typeof createCredentials>[0] = {}) =>
    createCredentials({ remoteHeadersFile: token, ...more });

  test('is sent beside the token, and read again when it changes', () => {
    const bearer = join(folder, 'bearer');
    write(bearer, 'a.token');
    write(token, 'X-Scope-OrgID: tenant-7\r\n');
    const credentials = create({ remoteTokenFile: bearer });
    expect(credentials.headers()).toEqual({ 'x-scope-orgid': 'tenant-7', authorization: 'Bearer a.token' });
    write(token, 'X-Scope-OrgID: tenant-8\n');
    expect(credentials.headers()).toEqual({ 'x-scope-orgid': 'tenant-8', authorization: 'Bearer a.token' });
    expect([...credentials.secrets].sort()).toEqual(['a.token', 'tenant-7', 'tenant-8']);
  });

  test.each([0o640, 0o604, 0o644])('is refused at mode %o, as a token is', (mode) => {
    write(token, 'X-A: s3cret', mode);
    expect(create().problems()).toEqual([
      `THUGSHELLS_REMOTE_HEADERS_FILE=${token}: mode 0${mode.toString(8)} lets other users read it; it must be 0600 or narrower`,
    ]);
  });

  test('that cannot be used is refused by variable, line and name, and not in the message', () => {
    write(token, 'X-A: 1\nHost: s3cret.example');
    expect(create().problems()).toEqual([
      `THUGSHELLS_REMOTE_HEADERS_FILE=${token}: line 2 (Host) is set by the program itself; remove it`,
    ]);
  });

  test.each([
    ['THUGSHELLS_REMOTE_TOKEN_FILE', { remoteTokenFile: '/etc/token' }],
    ['THUGSHELLS_REMOTE_USER', { remoteUser: 'ann' }],
    ['the user and the password in THUGSHELLS_REMOTE_URL', { remoteUrl: 'http://ann:x@host/' }],
    ['the user and the password in THUGSHELLS_QUERY_URL', { remoteUrl: 'http://host/', queryUrl: 'http://a:b@other/' }],
  ])('with Authorization is refused beside %s', (source, more) => {
    write(token, 'Authorization: ApiKey s3cret');
    expect(() => create(more).headers()).toThrow(`line 1 (Authorization) cannot be sent beside ${source}`);
  });

  test('with Authorization is sent where the other credential is for the clock of another server', () => {
    write(token, 'Authorization: ApiKey s3cret-key');
    const urls = { remoteUrl: 'http://host/', clockSkewUrl: 'http://ann:x@other/' };
    const credentials = create(urls);
    expect(credentials.headers()).toEqual({ authorization: 'ApiKey s3cret-key' });
    expect(credentials.secrets).toEqual(['ApiKey s3cret-key', 's3cret-key']);
  });

  test('does not make secrets of values that any text may have', () => {
    write(token, 'X-Debug: true\nX-Tenant: 42\nX-Name: a1b2');
    const credentials = create();
    credentials.headers();
    expect(credentials.secrets).toEqual(['a1b2']);
  });
});

test.each([0o640, 0o604, 0o644])(
  'private key: is refused at mode %o, as a token is, and certificates are not',
  (mode) => {
    const key = join(folder, 'key.pem');
    const certificate = join(folder, 'cert.pem');
    write(key, 'key', mode);
    write(certificate, 'certificate', mode);
    const credentials = createCredentials({
      remoteCaFile: certificate,
      remoteCertFile: certificate,
      remoteKeyFile: key,
    });
    const refusal = `THUGSHELLS_REMOTE_KEY_FILE=${key}: mode 0${mode.toString(8)} lets other users read it; it must be 0600 or narrower`;
    expect(credentials.problems()).toEqual([refusal]);
    expect(() => credentials.tls()).toThrow(refusal);
    chmodSync(key, 0o600);
    expect(credentials.tls()).toEqual({ certificateAuthority: 'certificate', certificate: 'certificate', key: 'key' });
  },
);

test('credentials: problems() returns one sentence for each file that cannot be used', () => {
  write(token, 'x', 0o644);
  const missing = join(folder, 'missing.pem');
  write(join(folder, 'ca.pem'), 'anything', 0o644);
  const problems = createCredentials({
    remoteTokenFile: token,
    remoteCaFile: join(folder, 'ca.pem'),
    remoteCertFile: missing,
    remoteKeyFile: missing,
  }).problems();
  expect(problems.map((problem) => problem.split(/[=:]/)[0])).toEqual([
    'THUGSHELLS_REMOTE_TOKEN_FILE',
    'THUGSHELLS_REMOTE_CERT_FILE',
    'THUGSHELLS_REMOTE_KEY_FILE',
  ]);
  expect(createCredentials({}).problems()).toEqual([]);
});

describe('request with credentials:', () => {
  let receiver: Receiver;
  let remote: HttpTransport;
  const never = new AbortController().signal;

  beforeEach(async () => {
    receiver = await startReceiver();
    const credentials = createCredentials({ remoteTokenFile: token });
    remote = new HttpTransport({
      protocol: new VictoriaMetricsProtocol(),
      ...{ clock: systemClock, remoteUrl: `${receiver.url}/api/v1/import`, remoteTimeoutMs: 20_000, credentials },
      ...{ proxyFor: () => '' },
    });
  });
  afterEach(async () => {
    remote.close();
    await receiver.stop();
  });

  test('contains the token that the file holds at that moment', async () => {
    write(token, 'first');
    await remote.send(madeChunk(1), never);
    write(token, 'second');
    await remote.send(madeChunk(1), never);
    await remote.checkReceiver(never);
    expect(receiver.requests.map(({ headers }) => headers['authorization'])).toEqual([
      'Bearer first',
      'Bearer second',
      'Bearer second',
    ]);
  });

  test('has the headers of the file with samples, health, metrics and the Date, and those of the message once', async () => {
    write(token, 'token');
    const headersFile = join(folder, 'headers');
    write(headersFile, 'X-Scope-OrgID: tenant-7\nX-Gateway: a b');
    const { protocol, ...options } = {
      protocol: new VictoriaMetricsProtocol(),
      ...{ clock: systemClock, remoteUrl: `${receiver.url}/api/v1/import`, remoteTimeoutMs: 20_000 },
      credentials: createCredentials({ remoteTokenFile: token, remoteHeadersFile: headersFile }),
      proxyFor: () => '',
    };
    const client = new HttpTransport({ protocol, ...options });
    await client.send(madeChunk(1), never);
    await client.checkReceiver(never);
    await client.askStartTime(never);
    await client.requestDate(`${receiver.url}/health`, never);
    client.close();
    const sent = receiver.requests.map(({ headers }) => [
      headers['x-scope-orgid'],
      headers['x-gateway'],
      headers['authorization'],
    ]);
    expect(sent).toEqual(Array<string[]>(4).fill(['tenant-7', 'a b', 'Bearer token']));
    expect(receiver.requests[0]!.headers['content-encoding']).toBe('gzip');
  });

  test('is not sent with a token that is refused: uploads are held, and continue once it is corrected', async () => {
    write(token, 's3cret', 0o644);
    expect(await remote.send(madeChunk(1), never)).toMatchObject({
      outcome: { kind: 'hold', reason: expect.stringContaining('mode 0644') },
      bytesSent: 0,
    });
    expect(await remote.checkReceiver(never)).toBeUndefined();
    expect(receiver.requests).toEqual([]);
    chmodSync(token, 0o600);
    expect(await remote.send(madeChunk(1), never)).toMatchObject({ outcome: { kind: 'delivered' } });
  });

  test('is not sent if the file is missing', async () => {
    expect(await remote.send(madeChunk(1), never)).toMatchObject({
      outcome: { kind: 'hold', reason: expect.stringContaining(token) },
    });
    expect(receiver.requests).toEqual([]);
  });

  test('contains no token if it requests the Date of another server', async () => {
    write(token, 'token');
    const other = await startReceiver();
    await remote.requestDate(`${other.url}/health`, never);
    await remote.requestDate(`${receiver.url}/health`, never);
    expect(other.requests[0]!.headers['authorization']).toBeUndefined();
    expect(receiver.requests[0]!.headers['authorization']).toBe('Bearer token');
    await other.stop();
  });
});
