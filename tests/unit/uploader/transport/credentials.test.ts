import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { startReceiver, type Receiver } from '../../../receiver/src/server.ts';
import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';
import { HttpTransport } from '../../../../uploader/src/transport/http-transport.ts';
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
    expect(createCredentials({ remoteTokenFile: token }).authorization()).toEqual({
      authorization: 'Bearer first.token-1',
    });
  });

  test('is absent if no file is named', () => {
    expect(createCredentials({}).authorization()).toEqual({});
  });

  test('is read again when the file is written, and when another one replaces it', () => {
    const credentials = createCredentials({ remoteTokenFile: token });
    write(token, 'first');
    const seen = [credentials.authorization()];
    write(token, 'second');
    seen.push(credentials.authorization());
    write(join(folder, 'next'), 'third.');
    renameSync(join(folder, 'next'), token);
    seen.push(credentials.authorization());
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Bearer first', 'Bearer second', 'Bearer third.']);
  });

  test.each([0o640, 0o604, 0o644, 0o660, 0o601])(
    'is refused at mode %o with the reason, and used once the mode is corrected',
    (mode) => {
      const credentials = createCredentials({ remoteTokenFile: token });
      write(token, 's3cret', mode);
      const refusal = `THUGSHELLS_REMOTE_TOKEN_FILE=${token}: mode 0${mode.toString(8)} lets other users read it; it must be 0600 or narrower`;
      expect(() => credentials.authorization()).toThrow(refusal);
      chmodSync(token, 0o400);
      expect(credentials.authorization()).toEqual({ authorization: 'Bearer s3cret' });
      chmodSync(token, mode);
      expect(() => credentials.authorization()).toThrow(refusal);
    },
  );

  test('may have any mode under systemd’s credentials, and only there', () => {
    const credentialsDirectory = join(folder, 'credentials');
    mkdirSync(credentialsDirectory);
    write(join(credentialsDirectory, 'token'), 'mine', 0o644);
    write(`${credentialsDirectory}-not`, 'other', 0o644);
    expect(
      createCredentials({ remoteTokenFile: join(credentialsDirectory, 'token'), credentialsDirectory }).authorization(),
    ).toEqual({ authorization: 'Bearer mine' });
    expect(() =>
      createCredentials({ remoteTokenFile: `${credentialsDirectory}-not`, credentialsDirectory }).authorization(),
    ).toThrow('mode 0644');
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
    expect(() => credentials.authorization()).toThrow(reason);
    expect(credentials.problems().join()).not.toMatch(/schl|a\nb/);
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
