// Longer than a test should be: each certificate and each source of time is a case, and all share one authority.
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { connect, type AddressInfo, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { createServer as createTlsSocketServer, getCACertificates, setDefaultCACertificates } from 'node:tls';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { systemClock } from '@thugshells/shared/clock.ts';

import { startReceiver } from '../receiver/src/server.ts';
import { AgentPair, endpointOf, healthAt } from '../support/agent-pair.ts';
import { until } from '../support/until.ts';
import { CertificateTime } from '../../uploader/src/transport/certificate-time.ts';
import { HttpTransport } from '../../uploader/src/transport/http-transport.ts';
import { setVerificationTime } from '../../uploader/src/transport/verification-time.ts';
import { VictoriaMetricsProtocol } from '../../uploader/src/transport/victoriametrics.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { TestAuthority, type IssueOptions, type TestCertificate } from '../support/test-authority.ts';
import { createCredentials } from '../support/uploader/direct-connection.ts';
import { madeChunk } from '../support/uploader/made-chunk.ts';

const DAY = 86_400_000;
const YEAR = 365 * DAY;
/** It is three years later than this device's clock says. */
const TRUE_NOW = Date.now() + 3 * YEAR;

const folder = useTemporaryFolder();
const system = getCACertificates('default');
const ends: (() => unknown)[] = [];
/** What servers got: their name, the method and the Authorization. */
let received: string[];
let ours: TestAuthority;
let others: TestAuthority;

beforeEach(() => {
  received = [];
  ours = new TestAuthority(folder.path(''), 'ours');
  others = new TestAuthority(folder.path(''), 'others');
  // Of the system: only REMOTE_URL has an authority of its own.
  setDefaultCACertificates([ours.cert]);
});
afterEach(() => {
  for (const end of ends.splice(0).reverse()) end();
  setVerificationTime('clock');
  setDefaultCACertificates(system);
});

/** Issues a certificate of three months around the true time. */
function issue(by: TestAuthority, subjectAltName: string, more: Partial<IssueOptions> = {}): TestCertificate {
  return by.issue({ subjectAltName, notBeforeMs: TRUE_NOW - 30 * DAY, notAfterMs: TRUE_NOW + 60 * DAY, ...more });
}

interface ServerOptions {
  readonly tls?: TestCertificate;
  readonly nowMs?: number;
  readonly delayMs?: number;
}

/** A server that responds 204 with a Date of its own. */
async function serve(name: string, { tls, nowMs = TRUE_NOW, delayMs = 0 }: ServerOptions): Promise<number> {
  const respond: Parameters<typeof createServer>[1] = (request, response) => {
    received.push([name, request.method, request.headers.authorization].filter(Boolean).join(' '));
    const answer = (): void => void response.writeHead(204, { date: new Date(nowMs).toUTCString() }).end();
    request.resume().once('end', () => setTimeout(answer, delayMs));
  };
  const server = tls === undefined ? createServer(respond) : createTlsServer(tls, respond);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(() => (server.close(), server.closeAllConnections()));
  return (server.address() as AddressInfo).port;
}

const lookup = ((_host: string, options: { all?: boolean }, done: (...found: unknown[]) => void) =>
  options.all === true
    ? done(null, [{ address: '127.0.0.1', family: 4 }])
    : done(null, '127.0.0.1', 4)) as LookupFunction;

interface Device {
  readonly remoteUrl: string;
  readonly clockSkewUrl: string;
  readonly remoteCaFile?: string;
}

function transportOf({ remoteUrl, clockSkewUrl, remoteCaFile = '' }: Device, clock = systemClock): HttpTransport {
  const proxyFor = (): string => '';
  const certificateTime = new CertificateTime({
    clock,
    remoteUrl,
    clockSkewUrl,
    proxyFor,
    builtAtMs: Date.now() - DAY,
  });
  writeFileSync(folder.path('token'), 'secret', { mode: 0o600 });
  const transport = new HttpTransport({
    clock,
    protocol: new VictoriaMetricsProtocol(),
    remoteUrl,
    remoteTimeoutMs: 5_000,
    credentials: createCredentials({ remoteCaFile, remoteTokenFile: folder.path('token') }),
    proxyFor,
    lookup,
    certificateTime,
  });
  ends.push(() => transport.close());
  return transport;
}

const signal = new AbortController().signal;

/** What an upload comes to after the time was requested: `delivered`, or the code of the error. */
async function upload(device: Device): Promise<string | undefined> {
  const transport = transportOf(device);
  await transport.requestDate(device.clockSkewUrl, signal).catch(() => undefined);
  const { outcome, errorCode } = await transport.send(madeChunk(5), signal);
  return outcome.kind === 'delivered' ? outcome.kind : errorCode;
}

/** The receiver that keeps what it gets, by the true time, behind TLS. */
async function startTlsReceiver(tls: TestCertificate) {
  const receiver = await startReceiver({ now: () => Date.now() + 3 * YEAR });
  const sockets = new Set<Duplex>();
  const server = createTlsSocketServer(tls, (socket) => {
    const onward = connect(receiver.port, '127.0.0.1');
    for (const each of [socket, onward]) sockets.add(each.on('error', () => undefined));
    socket.pipe(onward).pipe(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  ends.push(
    () => void receiver.stop(),
    () => (server.close(), sockets.forEach((each) => each.destroy())),
  );
  return { receiver, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1/import` };
}

describe('both programs on a device whose clock is three years slow:', () => {
  let agents: AgentPair;
  afterEach(() => agents.remove());

  async function run(variables: Record<string, string>) {
    const { receiver, url } = await startTlsReceiver(issue(ours, 'IP:127.0.0.1'));
    const common = { REMOTE_URL: url, REMOTE_CA_FILE: ours.file, CLOCK_SKEW_POLICY: 'correct' };
    agents = new AgentPair({ ...common, ...variables });
    agents.start('collector');
    const uploader = agents.start('uploader', { NODE_EXTRA_CA_CERTS: ours.file });
    return { receiver, uploader };
  }

  test('every sample is delivered by https with its true time, once another server has told it', async () => {
    const tls = issue(ours, 'DNS:localhost');
    const { receiver } = await run({ CLOCK_SKEW_URL: `https://localhost:${await serve('time', { tls })}/` });
    await until('samples are delivered', () => receiver.rows().length > 50);
    const times = receiver.rows().map(({ timestampMs }) => timestampMs);
    expect(Math.min(...times)).toBeGreaterThan(TRUE_NOW - 60_000);
    expect(Math.max(...times)).toBeLessThan(TRUE_NOW + 120_000);
    expect(receiver.duplicates()).toBe(0);
  });

  test('health says what to do where no other server tells the time', async () => {
    const { receiver, uploader } = await run({});
    const endpoint = await endpointOf(uploader);
    const { components } = await until('an upload has failed', async () => {
      const { report } = await healthAt(endpoint);
      return report.components['uploader']!.message.includes('certificate') && report;
    });
    expect(components['uploader']!.message).toMatch(
      /certificate is not valid yet by the clock of this device; set the clock .*THUGSHELLS_CLOCK_SKEW_URL/,
    );
    expect(components['time']!.message).toMatch(
      /^clock not compared with the receiver yet: .*certificate is not valid yet/,
    );
    expect(receiver.rows()).toEqual([]);
  });
});

describe('certificates on a device whose clock is three years slow:', () => {
  async function receiverUrl(tls = issue(ours, 'DNS:receiver.test')): Promise<string> {
    return `https://receiver.test:${await serve('receiver', { tls })}/api/v1/import`;
  }
  async function timeUrl(tls = issue(ours, 'DNS:time.test'), nowMs = TRUE_NOW, delayMs = 0): Promise<string> {
    return `https://time.test:${await serve('time', { tls, nowMs, delayMs })}/`;
  }

  test('samples are delivered by the time of another https server, which gets no credentials', async () => {
    expect(await upload({ remoteUrl: await receiverUrl(), clockSkewUrl: await timeUrl() })).toBe('delivered');
    expect(received).toEqual(['time HEAD', 'time HEAD', 'receiver POST Bearer secret']);
  });

  test('samples are delivered by the time of a server on the device itself, by plain http', async () => {
    const clockSkewUrl = `http://127.0.0.1:${await serve('time', {})}/`;
    expect(await upload({ remoteUrl: await receiverUrl(), clockSkewUrl })).toBe('delivered');
  });

  test('samples are delivered to a receiver of an authority of its own', async () => {
    const remoteUrl = await receiverUrl(issue(others, 'DNS:receiver.test'));
    const clockSkewUrl = await timeUrl();
    expect(await upload({ remoteUrl, clockSkewUrl, remoteCaFile: others.file })).toBe('delivered');
  });

  test.each<[string, () => TestCertificate, string]>([
    [
      'that has expired by that time',
      () => issue(ours, 'DNS:receiver.test', { notAfterMs: TRUE_NOW - DAY }),
      'CERT_HAS_EXPIRED',
    ],
    [
      'that is not valid yet by that time either',
      () => issue(ours, 'DNS:receiver.test', { notBeforeMs: TRUE_NOW + DAY }),
      'CERT_NOT_YET_VALID',
    ],
    ['of an unknown authority', () => issue(others, 'DNS:receiver.test'), 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
    ['for another name', () => issue(ours, 'DNS:time.test'), 'ERR_TLS_CERT_ALTNAME_INVALID'],
    [
      'for clients only',
      () => issue(ours, 'DNS:receiver.test', { extensions: ['extendedKeyUsage=clientAuth'] }),
      'INVALID_PURPOSE',
    ],
    [
      'with a critical extension that nobody knows',
      () => issue(ours, 'DNS:receiver.test', { extensions: ['1.2.3.4=critical,ASN1:NULL'] }),
      // Node.js has no name for it.
      'UNSPECIFIED',
    ],
  ])('a certificate %s is refused', async (_, certificate, code) => {
    const remoteUrl = await receiverUrl(certificate());
    expect(await upload({ remoteUrl, clockSkewUrl: await timeUrl() })).toBe(code);
    expect(received).not.toContainEqual(expect.stringContaining('receiver'));
  });

  test('a certificate outside the names that its authority may certify is refused', async () => {
    const limited = new TestAuthority(folder.path(''), 'limited', [
      'nameConstraints=critical,permitted;DNS:other.test',
    ]);
    const remoteUrl = await receiverUrl(issue(limited, 'DNS:receiver.test'));
    const clockSkewUrl = await timeUrl();
    expect(await upload({ remoteUrl, clockSkewUrl, remoteCaFile: limited.file })).toBe('UNSPECIFIED');
  });

  test.each<[string, () => Promise<string>]>([
    ['of an unknown authority', () => timeUrl(issue(others, 'DNS:time.test'))],
    ['with a certificate for another name', () => timeUrl(issue(ours, 'DNS:receiver.test'))],
    ['whose certificate is not valid at the time that it names', () => timeUrl(undefined, TRUE_NOW + 90 * DAY)],
    ['that names a time before this program was built', () => timeUrl(undefined, Date.now() - 2 * DAY)],
    [
      'on the receiver’s own host',
      async () => `https://receiver.test:${await serve('time', { tls: issue(ours, 'DNS:receiver.test') })}/`,
    ],
    ['by plain http over a network', async () => `http://time.test:${await serve('time', {})}/`],
  ])('the time of a server %s does not count', async (_, url) => {
    expect(await upload({ remoteUrl: await receiverUrl(), clockSkewUrl: await url() })).toBe('CERT_NOT_YET_VALID');
  });

  test('the receiver’s own time does not count, and it gets no token', async () => {
    const remoteUrl = await receiverUrl();
    expect(await upload({ remoteUrl, clockSkewUrl: new URL('/health', remoteUrl).href })).toBe('CERT_NOT_YET_VALID');
    expect(received).toEqual([]);
  });

  test('a connection that is opened while a server’s time is being verified is not used', async () => {
    const remoteUrl = await receiverUrl();
    const clockSkewUrl = await timeUrl(undefined, undefined, 500);
    const transport = transportOf({ remoteUrl, clockSkewUrl });
    const date = transport.requestDate(clockSkewUrl, signal);
    while (received.length === 0) await systemClock.sleep(10);
    const { errorCode } = await transport.send(madeChunk(5), signal);
    await date;
    expect([errorCode, received]).toEqual(['TIME_UNCERTAIN', ['time HEAD', 'time HEAD']]);
    expect((await transport.send(madeChunk(5), signal)).outcome.kind).toBe('delivered');
  });

  test('the clock judges again as soon as it agrees with that time', async () => {
    const remoteUrl = await receiverUrl();
    const clockSkewUrl = await timeUrl();
    let offsetMs = 0;
    const clock = { ...systemClock, now: () => Date.now() + offsetMs };
    const transport = transportOf({ remoteUrl, clockSkewUrl }, clock);
    await transport.requestDate(clockSkewUrl, signal);
    // OpenSSL's own clock is still slow.
    offsetMs = TRUE_NOW - Date.now();
    expect((await transport.send(madeChunk(5), signal)).errorCode).toBe('CERT_NOT_YET_VALID');
  });
});
