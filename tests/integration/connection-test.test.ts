// Longer than a file should be: it is one table, with a row for each way in which a connection fails.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { findProgram } from '../../deploy/scripts/programs.ts';
import { builtHere, runToEnd, type Runner } from '../support/agent-process.ts';
import { fillDatabase } from '../support/fill-database.ts';
import { freePort } from '../support/free-port.ts';
import { startNginx, startTinyproxy, type NginxSettings } from '../support/paths/proxies.ts';
import { Prometheus } from '../support/prometheus.ts';
import { TestAuthority, type IssueOptions } from '../support/test-authority.ts';
import { until } from '../support/until.ts';
import { startVictoriaMetrics, type VictoriaMetrics } from '../support/victoria-metrics.ts';

const DAY_MS = 86_400_000;
const PATH = '/api/v1/import';

interface Report {
  readonly ok: boolean;
  readonly failed_step: string | null;
  readonly steps: readonly {
    readonly step: string;
    readonly status: string;
    readonly message: string;
    readonly remedy?: string;
  }[];
}

type Environment = Readonly<Record<string, string>>;

let folder: string;
let authority: TestAuthority;
let victoria: VictoriaMetrics;
let prometheus: Prometheus;
const ends: (() => unknown)[] = [];
/** Ports by what listens there. */
const ports: Record<string, number> = {};
const file = (name: string): string => join(folder, name.replaceAll(' ', '-'));

async function listen(name: string, server: Server): Promise<void> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  ends.push(() => {
    server.close();
    server.closeAllConnections();
  });
  ports[name] = (server.address() as AddressInfo).port;
}

async function startProgram(name: string, binary: string, flags: readonly string[]): Promise<void> {
  const port = await freePort();
  const child: ChildProcess = spawn(binary, [...flags, `-httpListenAddr=127.0.0.1:${port}`], { stdio: 'ignore' });
  ends.push(() => child.kill('SIGKILL'));
  await until(
    `${name} answers`,
    async () => (await fetch(`http://127.0.0.1:${port}/health`).catch(() => undefined))?.ok,
  );
  ports[name] = port;
}

function writeSecret(name: string, text: string): void {
  writeFileSync(file(name), text);
  chmodSync(file(name), 0o600);
}

/** Issues a certificate that is valid for a span of days from today, into two files. */
function certify(
  name: string,
  days: readonly [number, number],
  signer = authority,
  more: Partial<IssueOptions> = {},
): void {
  const [notBeforeMs, notAfterMs] = days.map((day) => Date.now() + day * DAY_MS) as [number, number];
  const { cert, key } = signer.issue({ subjectAltName: 'IP:127.0.0.1', notBeforeMs, notAfterMs, ...more });
  writeFileSync(file(`${name}.crt`), cert);
  writeFileSync(file(`${name}.key`), key);
}

async function startTlsNginx(name: string, tls: Partial<NonNullable<NginxSettings['tls']>> = {}): Promise<void> {
  const files = { certFile: file(`${name}.crt`), keyFile: file(`${name}.key`), ...tls };
  const nginx = await startNginx(victoria.port, { tls: files });
  ends.push(() => nginx.stop());
  ports[name] = nginx.port;
}

const respond =
  (status: number, headers: Readonly<Record<string, string>>, body: string): RequestListener =>
  (request, response) =>
    void request.resume().once('end', () => response.writeHead(status, headers).end(body));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'connection-test-'));
  authority = new TestAuthority(folder, 'ours');
  writeSecret('right', 'right.token\n');
  writeSecret('wrong', 'wrong.token\n');
  writeFileSync(file('open'), 'right.token\n', { mode: 0o644 });
  chmodSync(file('open'), 0o644);
  victoria = await startVictoriaMetrics({ flags: ['-retentionPeriod=2d'] });
  ports['victoria'] = victoria.port;
  prometheus = await Prometheus.start();
  ports['prometheus'] = Number(new URL(prometheus.url).port);
  await startReceivers();
  await startTlsReceivers();
  await startPortals();
}, 120_000);

afterAll(async () => {
  for (const end of ends.reverse()) await end();
  await prometheus.stop();
  await victoria.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

async function startReceivers(): Promise<void> {
  const routes = [PATH, '/api/v1/status/.+'].map((path) => JSON.stringify(path)).join();
  writeFileSync(
    file('auth.yml'),
    `users:\n- bearer_token: right.token\n  url_map:\n  - src_paths: [${routes}]\n    url_prefix: ${victoria.url}\n`,
  );
  const flags = [`-auth.config=${file('auth.yml')}`];
  await startProgram('vmauth', await findProgram('vmauth'), flags);
  const debian = { env: { ...process.env, PEERS: 'debian' } };
  await startProgram('vmauth of Debian', await findProgram('vmauth', debian), flags);
  await startProgram('vmagent', await findProgram('vmagent'), [
    `-remoteWrite.url=${victoria.url}/api/v1/write`,
    `-remoteWrite.tmpDataPath=${file('vmagent')}`,
  ]);
  const tinyproxy = await startTinyproxy();
  ends.push(() => tinyproxy.stop());
  ports['tinyproxy'] = tinyproxy.port;
}

async function startTlsReceivers(): Promise<void> {
  certify('valid', [-1, 30]);
  certify('expired', [-30, -1]);
  certify('future', [10, 30]);
  certify('other name', [-1, 30], authority, { subjectAltName: 'DNS:vm.example' });
  certify('other authority', [-1, 30], new TestAuthority(folder, 'theirs'));
  certify('client', [-1, 30]);
  for (const name of ['valid', 'expired', 'future', 'other name', 'other authority']) await startTlsNginx(name);
  const ofValid = { certFile: file('valid.crt'), keyFile: file('valid.key') };
  await startTlsNginx('mutual', { ...ofValid, clientCaFile: authority.file });
  // A receiver whose clock is right, where that of this device is wrong.
  const tomorrow = new Date(Date.now() + 15 * DAY_MS).toUTCString();
  const key = { cert: readFileSync(file('future.crt')), key: readFileSync(file('future.key')) };
  const valid = { cert: readFileSync(file('valid.crt')), key: readFileSync(file('valid.key')) };
  const strict = { ...valid, ca: authority.cert, requestCert: true, rejectUnauthorized: true };
  await listen('strict', createTlsServer(strict, respond(204, {}, '')));
  await listen('later', createTlsServer(key, respond(204, { date: tomorrow }, '')));
}

async function startPortals(): Promise<void> {
  const page = '<!DOCTYPE html><title>Hotel</title><form action=/login>Please log in</form>';
  await listen('portal', createServer(respond(200, { 'content-type': 'text/html' }, page)));
  await listen('login', createServer(respond(302, { location: 'http://login.example/' }, '')));
  for (const status of [301, 308])
    await listen(`${status}`, createServer(respond(status, { location: `https://127.0.0.1:1${PATH}` }, '')));
  await listen('proxy with a login', createServer(respond(407, { 'proxy-authenticate': 'Basic' }, '')));
  const refusing = createServer().on('connect', (_, socket) => socket.end('HTTP/1.1 403 Forbidden\r\n\r\n'));
  await listen('refusing proxy', refusing);
  await listen('wrong clock', createServer(respond(204, { date: new Date(Date.now() - 3_600_000).toUTCString() }, '')));
  await listen(
    'broken',
    createServer((request) => request.socket.destroy()),
  );
}

const http = (name: string, path = PATH): Environment => ({
  THUGSHELLS_REMOTE_URL: `http://127.0.0.1:${ports[name]}${path}`,
});
const https = (name: string): Environment => ({
  THUGSHELLS_REMOTE_URL: `https://127.0.0.1:${ports[name]}${PATH}`,
  THUGSHELLS_REMOTE_CA_FILE: authority.file,
});
const token = (name: string): Environment => ({ THUGSHELLS_REMOTE_TOKEN_FILE: file(name) });
/** Linux connects 0.0.0.0 to this machine; a receiver on loopback goes around proxies. */
const through = (proxy: string, url: Environment): Environment => {
  const [variable = '', address = ''] = Object.entries(url)[0]!;
  const proxied = { http_proxy: `http://127.0.0.1:${ports[proxy]}`, https_proxy: `http://127.0.0.1:${ports[proxy]}` };
  return { ...url, [variable]: address.replace('127.0.0.1', '0.0.0.0'), ...proxied };
};
const remoteWrite = { THUGSHELLS_REMOTE_PROTOCOL: 'remote-write' };
const noNetwork: Runner = { ...builtHere, command: ['unshare', '--map-root-user', '--net', process.execPath] };

async function runTest(environment: Environment, args: readonly string[] = [], runner?: Runner) {
  const ended = await runToEnd(
    'uploader',
    { THUGSHELLS_DB_PATH: file('none.db'), ...environment },
    ['test', ...args],
    runner,
  );
  expect(ended.stderr).toBe('');
  return ended;
}

describe('connection test: names the step that fails, what is wrong and what to do when', () => {
  const rows: [
    what: string,
    environment: () => Environment,
    step: string,
    message: RegExp,
    remedy: RegExp,
    runner?: Runner,
  ][] = [
    [
      'the token file can be read by others',
      () => ({ ...http('victoria'), ...token('open') }),
      'files',
      /THUGSHELLS_REMOTE_TOKEN_FILE=.*mode 0644/,
      /file/,
    ],
    [
      'there is no name server',
      () => ({ THUGSHELLS_REMOTE_URL: `http://vm.example${PATH}` }),
      'name',
      /name server does not respond/,
      /check the network/,
      noNetwork,
    ],
    [
      'nothing listens',
      () => ({ THUGSHELLS_REMOTE_URL: `http://127.0.0.1:1${PATH}` }),
      'connection',
      /nothing listens/,
      /THUGSHELLS_REMOTE_URL/,
    ],
    [
      'there is no route',
      () => ({ THUGSHELLS_REMOTE_URL: `http://[fd00::1]${PATH}` }),
      'connection',
      /no route/,
      /network/,
      noNetwork,
    ],
    [
      'nothing listens at the proxy',
      () => ({ THUGSHELLS_REMOTE_URL: `http://vm.example${PATH}`, http_proxy: 'http://127.0.0.1:1' }),
      'connection',
      /nothing listens at the address of the proxy/,
      /http_proxy/,
    ],
    [
      'the proxy requires a login',
      () => through('proxy with a login', http('victoria')),
      'proxy',
      /HTTP 407/,
      /user and the password of the proxy/,
    ],
    ['the proxy opens no tunnel', () => through('refusing proxy', https('valid')), 'proxy', /HTTP 403/, /https_proxy/],
    [
      'the proxy is at https:// and cannot be verified',
      () => ({ ...through('later', https('valid')), https_proxy: `https://127.0.0.1:${ports['later']}` }),
      'proxy',
      /the proxy cannot be verified/,
      /https_proxy/,
    ],
    [
      'the port speaks TLS: nginx',
      () => http('valid'),
      'tls',
      /this port speaks TLS/,
      /https:\/\/ in THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the port speaks TLS and closes what does not',
      () => http('later'),
      'tls',
      /this port speaks TLS, and not HTTP/,
      /https:\/\/ in THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the port speaks TLS and requires a certificate of this device',
      () => http('strict'),
      'tls',
      /this port speaks TLS, and not HTTP/,
      /https:\/\/ in THUGSHELLS_REMOTE_URL/,
    ],
    ['the port speaks no TLS', () => https('victoria'), 'tls', /does not speak TLS/, /use http:\/\//],
    [
      'another authority signed the certificate',
      () => https('other authority'),
      'tls',
      /no known authority .*"theirs"/,
      /THUGSHELLS_REMOTE_CA_FILE/,
    ],
    [
      'the certificate is for another name',
      () => https('other name'),
      'tls',
      /for another name.*vm\.example/,
      /THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the certificate has expired',
      () => https('expired'),
      'tls',
      /has expired on \S+; by the clock of this device it is \S+, by the receiver’s \S+;/,
      /renew the certificate of the receiver/,
    ],
    [
      'the certificate is not valid yet',
      () => https('future'),
      'tls',
      /is not valid before \S+; .* by the receiver’s/,
      /set the clock of the receiver/,
    ],
    [
      'the clock of this device is behind',
      () => https('later'),
      'tls',
      /is not valid before .*the clock of this device is wrong.* 1[45] d.* behind/,
      /set the clock of this device/,
    ],
    [
      'the handshake fails without a certificate of this device',
      () => https('strict'),
      'tls',
      /requires another certificate of this device/,
      /THUGSHELLS_REMOTE_CERT_FILE/,
    ],
    [
      'a certificate of this device is required',
      () => https('mutual'),
      'authentication',
      /requires another certificate/,
      /THUGSHELLS_REMOTE_CERT_FILE/,
    ],
    [
      'a portal shows a page',
      () => http('portal'),
      'receiver',
      /HTTP 200 from something that is no receiver: .*Hotel/,
      /log in to the network/,
    ],
    [
      'a portal redirects to its login',
      () => http('login'),
      'receiver',
      /HTTP 302 redirects to http:\/\/login\.example/,
      /log in to the network/,
    ],
    [
      '301 leads to https',
      () => http('301'),
      'tls',
      /HTTP 301 redirects to https/,
      /https:\/\/ in THUGSHELLS_REMOTE_URL/,
    ],
    [
      '308 leads to https',
      () => http('308'),
      'tls',
      /HTTP 308 redirects to https/,
      /https:\/\/ in THUGSHELLS_REMOTE_URL/,
    ],
    [
      'vmauth does not know the token',
      () => ({ ...http('vmauth'), ...token('wrong') }),
      'authentication',
      /HTTP 40[01]/,
      /THUGSHELLS_REMOTE_TOKEN_FILE/,
    ],
    [
      'Debian’s vmauth does not know the token',
      () => ({ ...http('vmauth of Debian'), ...token('wrong') }),
      'authentication',
      /HTTP 400: .*\*\*\*.*does not know this token/,
      /THUGSHELLS_REMOTE_TOKEN_FILE/,
    ],
    [
      'vmauth gets no token',
      () => http('vmauth'),
      'authentication',
      /none were sent/,
      /set THUGSHELLS_REMOTE_TOKEN_FILE/,
    ],
    [
      'vmauth has no route',
      () => ({ ...http('vmauth', '/api/v1/imporrt'), ...token('right') }),
      'path',
      /does not know this path/,
      /path of THUGSHELLS_REMOTE_URL/,
    ],
    [
      'Debian’s vmauth has no route',
      () => ({ ...http('vmauth of Debian', '/api/v1/imporrt'), ...token('right') }),
      'path',
      /does not know this path/,
      /path of THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the path is unknown to VictoriaMetrics',
      () => http('victoria', '/api/v1/imporrt'),
      'path',
      /does not know this path/,
      /path of THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the path is unknown to vmagent',
      () => http('vmagent', '/api/v2/import'),
      'path',
      /does not know this path/,
      /path of THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the path is unknown to Prometheus',
      () => ({ ...http('prometheus', '/api/v2/write'), ...remoteWrite }),
      'path',
      /HTTP 404/,
      /path of THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the path is for another format',
      () => http('victoria', '/api/v1/import/prometheus'),
      'path',
      /for another format/,
      /THUGSHELLS_REMOTE_URL/,
    ],
    [
      'the connection is closed before a response',
      () => http('broken'),
      'write',
      /closed before a response/,
      /check the receiver/,
    ],
    ['the clocks differ', () => http('wrong clock'), 'clock', /1\.0 h|3600|1 h/, /set the clock/],
  ];

  test.each(rows)('%s', async (...[, environment, step, message, remedy, runner]) => {
    const { code, stdout } = await runTest(environment(), ['--json'], runner);
    const report = JSON.parse(stdout) as Report;
    expect([report.ok, report.failed_step, code]).toEqual([false, step, 1]);
    const last = report.steps.at(-1)!;
    expect(last).toMatchObject({ step, status: 'failed', message: expect.stringMatching(message) });
    expect(last.remedy ?? '').toMatch(remedy);
    expect(last.message).toContain(last.remedy ?? '');
    expect(report.steps.filter(({ status }) => status === 'failed')).toHaveLength(1);
    expect(new Set(report.steps.map((each) => each.step)).size).toBe(report.steps.length);
    expect(stdout).not.toMatch(/right\.token|wrong\.token/);
  });
});

describe('connection test: passes every step', () => {
  const passing: [what: string, environment: () => Environment, texts: readonly RegExp[]][] = [
    [
      'to a VictoriaMetrics',
      () => http('victoria'),
      [
        /^✓ receiver +VictoriaMetrics.*single node$/m,
        /^✓ read side .*retention 2 d, -dedup\.minScrapeInterval=1ms$/m,
        /^– tls +not used/m,
      ],
    ],
    [
      'to a VictoriaMetrics by remote write',
      () => ({ ...http('victoria', '/api/v1/write'), ...remoteWrite }),
      [/^✓ write +HTTP 204/m],
    ],
    [
      'to a Prometheus',
      () => ({ ...http('prometheus', '/api/v1/write'), ...remoteWrite }),
      [/^✓ receiver +Prometheus \d/m, /^✓ read side /m],
    ],
    [
      'to a vmagent',
      () => http('vmagent'),
      [/^✓ receiver +vmagent.* in front of/m, /^– read side +verify cannot be used/m],
    ],
    [
      'to a vmauth',
      () => ({ ...http('vmauth'), ...token('right') }),
      [/^✓ receiver +vmauth.* in front of VictoriaMetrics$/m, /^✓ authentication +the token/m],
    ],
    [
      'to a vmauth of Debian',
      () => ({ ...http('vmauth of Debian'), ...token('right') }),
      [/^✓ receiver +vmauth in front of|^✓ receiver +vmauth, in front of/m],
    ],
    ['by TLS', () => https('valid'), [/^✓ tls +TLSv1\.[23], certificate of "leaf" by "ours", valid until \d{4}-/m]],
    [
      'by TLS with a certificate of this device',
      () => ({
        ...https('mutual'),
        THUGSHELLS_REMOTE_CERT_FILE: file('client.crt'),
        THUGSHELLS_REMOTE_KEY_FILE: file('client.key'),
      }),
      [/^✓ authentication +the certificate/m],
    ],
    [
      'through a proxy',
      () => through('tinyproxy', http('victoria')),
      [/^✓ proxy +http:\/\/127\.0\.0\.1:\d+\/? hands the requests on$/m],
    ],
  ];

  test.each(passing)('%s', async (...[, environment, texts]) => {
    chmodSync(file('client.key'), 0o600);
    const { code, stdout } = await runTest(environment());
    for (const text of texts) expect(stdout).toMatch(text);
    expect([stdout.includes('✗'), code]).toEqual([false, 0]);
    expect(stdout).not.toMatch(/right\.token|wrong\.token/);
  });

  test('where only IPv6 is, to a name with an address of each kind', async () => {
    writeFileSync(file('hosts'), '192.0.2.1 vm.test\nfd00::1 vm.test\n');
    mkdirSync(file('ipv6'));
    const script = fileURLToPath(new URL('../support/ipv6-only.sh', import.meta.url));
    const before = [await findProgram('victoria-metrics'), file('hosts'), file('ipv6')];
    const runner: Runner = { ...builtHere, command: [script, ...before, process.execPath] };
    const { code, stdout } = await runTest({ THUGSHELLS_REMOTE_URL: `http://vm.test:8428${PATH}` }, [], runner);
    expect(stdout).toMatch(/^✓ name +vm\.test is (192\.0\.2\.1, fd00::1|fd00::1, 192\.0\.2\.1) \(/m);
    expect(stdout).toMatch(/^✓ connection .*\[fd00::1\]:8428 in /m);
    expect(stdout).toContain('not 192.0.2.1:8428: there is no route to the receiver');
    expect([stdout.includes('✗'), code]).toEqual([false, 0]);
  });
});

test('connection test: sends no samples, and neither changes nor opens the database', async () => {
  const database = file('metrics.db');
  fillDatabase(database, { samples: 100, series: 10, deviceId: 'board-1' });
  const look = () => {
    const { mtimeMs, size, ino } = statSync(database);
    return { mtimeMs, size, ino, files: readdirSync(folder).filter((name) => name.startsWith('metrics.db')) };
  };
  const before = look();
  const content = readFileSync(database);
  const { code } = await runTest({ ...http('victoria'), THUGSHELLS_DB_PATH: database });
  expect([code, look()]).toEqual([0, before]);
  expect(existsSync(file('none.db'))).toBe(false);
  expect(readFileSync(database).equals(content)).toBe(true);
  expect(await victoria.export()).toEqual([]);
  expect(await prometheus.export()).toEqual([]);
});

test('connection test: exits with the code of the step with --step-code, as its help says', async () => {
  const help = await runTest({}, ['--help']);
  for (const [environment, step] of [
    [http('victoria', '/api/v1/imporrt'), 'path'],
    [http('portal'), 'receiver'],
    [{ THUGSHELLS_REMOTE_URL: `http://127.0.0.1:1${PATH}` }, 'connection'],
  ] as const) {
    const { code } = await runTest(environment, ['--step-code']);
    expect(help.stdout).toContain(`${code} ${step}`);
    expect(code).toBeGreaterThan(9);
  }
  expect((await runTest(http('victoria'), ['--step-code'])).code).toBe(0);
});

test('connection test: exits with 78 for variables that cannot be used', async () => {
  const { code, stderr } = await runToEnd('uploader', { THUGSHELLS_REMOTE_URL: 'vm:8428' }, ['test']);
  expect([code, stderr]).toEqual([78, expect.stringContaining('THUGSHELLS_REMOTE_URL=vm:8428')]);
});
