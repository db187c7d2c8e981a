import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { AgentPair } from '../support/agent-pair.ts';
import { AgentProcess, runToEnd } from '../support/agent-process.ts';
import { until } from '../support/until.ts';

const PASSWORD = 'p&s w<rd/é-of-ann';
const KEY = 'key+of/the&receiver';
const TOKEN = 'token-of-the-board.1';
const HEADER = 'value-of&a<header';
const PROXY_PASSWORD = 'p"w-of-the-proxy';
/** As they may stand in a text; the beginnings suffice, also where it was cut. */
const SECRETS = [PASSWORD, KEY, TOKEN, HEADER, PROXY_PASSWORD].flatMap((secret) => [
  secret.slice(0, 8),
  encodeURIComponent(secret).slice(0, 8),
  JSON.stringify(secret).slice(1, 9),
  Buffer.from(secret).toString('base64').slice(0, 8),
]);
const BASICS = [`ann:${PASSWORD}`, `bob:${PROXY_PASSWORD}`].map((text) => Buffer.from(text).toString('base64'));

let agents: AgentPair;
let uploader: AgentProcess | undefined;
let server: Server;
let url: string;
let respond: RequestListener;

beforeEach(async () => {
  server = createServer((request, response) => request.resume().once('end', () => respond(request, response)));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await uploader?.kill('SIGKILL');
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
  await agents.remove();
});

interface Status {
  readonly uploads: readonly { readonly outcome: string; readonly times: number }[];
  readonly books: { readonly rejected: number };
}

/** Everything that leaves the process, after some uploads have failed. */
async function collectTexts(
  variables: Readonly<Record<string, string>>,
  system: Readonly<Record<string, string>> = {},
): Promise<string> {
  agents = new AgentPair({ LOG_LEVEL: 'debug', CLOCK_SKEW_INTERVAL: '1s', ...variables });
  const token = join(agents.folder, 'token');
  writeFileSync(token, TOKEN, { mode: 0o600 });
  writeFileSync(join(agents.folder, 'headers'), `X-Scope-OrgID: ${HEADER}\n`, { mode: 0o600 });
  writeFileSync(join(agents.folder, 'password'), PASSWORD, { mode: 0o600 });
  agents.start('collector');
  const given = Object.entries({ ...agents.environment, ...system });
  const environment = Object.fromEntries(
    given.map(([name, value]) => [name, value.replace('$TOKEN', token).replace('$FOLDER', agents.folder)]),
  );
  uploader = new AgentProcess('uploader', environment);
  const endpoint = await until('it listens', () => uploader!.endpoint());
  const get = async (path: string): Promise<string> =>
    (await fetch(new URL(path, endpoint), { headers: { connection: 'close' } })).text();
  await until('uploads have failed', async () => {
    const { uploads, books } = JSON.parse(await get('/status.json')) as Status;
    return books.rejected > 0 || uploads.some(({ outcome, times }) => outcome === 'failed' && times >= 2);
  });
  const pages = await Promise.all(['/', '/health', '/metrics', '/status.json', '/history.json'].map(get));
  const commands = await Promise.all(
    [['status'], ['status', '--json'], ['quarantine'], ['check-config']].map(async (args) => {
      const { stdout, stderr } = await runToEnd('uploader', environment, args);
      return stdout + stderr;
    }),
  );
  await uploader.stop();
  const files = readdirSync(agents.folder).filter((name) => !['token', 'headers', 'password'].includes(name));
  const stored = files.map((name) => readFileSync(join(agents.folder, name), 'utf8'));
  return [...pages, ...commands, ...uploader.lines, ...uploader.problems, ...agents.lines(), ...stored].join('\n');
}

function expectNoSecrets(texts: string): void {
  for (const secret of [...SECRETS, ...BASICS]) expect([secret, texts.includes(secret)]).toEqual([secret, false]);
  expect(texts).toContain('***');
}

describe('secrets of the URL, the token file and the proxy appear in no page, command, log or table', () => {
  const withUser = (): string =>
    `http://ann:${encodeURIComponent(PASSWORD)}@${url}/api/v1/import?authKey=${encodeURIComponent(KEY)}`;
  const echoes: [string, RequestListener][] = [
    [
      'text',
      ({ url: path, headers }, response) =>
        void response.writeHead(403).end(`no ${path}, ${decodeURIComponent(path!)}, ${headers.authorization}`),
    ],
    [
      'Location',
      ({ url: path }, response) =>
        void response
          .writeHead(302, { location: `http://${url}/login/${encodeURIComponent(PASSWORD)}?next=${path}` })
          .end(),
    ],
    [
      'JSON',
      (_, response) =>
        void response.end(JSON.stringify({ accepted: 0, rejected: [{ index: 0, reason: `${KEY} ${PASSWORD}` }] })),
    ],
    [
      'JSON of an error',
      (_, response) =>
        void response
          .writeHead(503, { 'retry-after': KEY.replace(/[^ -~]/g, '') })
          .end(JSON.stringify({ error: `${PASSWORD} ${KEY}` })),
    ],
    [
      'text, cut amid a secret',
      ({ url: path }, response) =>
        void response.writeHead(403).end(`${'x'.repeat(110)}${decodeURIComponent(path!.split('=')[1] ?? '')}`),
    ],
    [
      'type of a page',
      (_, response) => void response.writeHead(200, { 'content-type': `text/html; ${encodeURIComponent(KEY)}` }).end(),
    ],
  ];
  test.each(echoes)('when a receiver repeats them in its %s', async (_, listener) => {
    respond = listener;
    expectNoSecrets(await collectTexts({ REMOTE_URL: withUser(), CHUNK_METRICS: '1', CHUNK_GROWTH: 'false' }));
  });

  test('when a receiver repeats the token', async () => {
    respond = ({ headers }, response) => void response.writeHead(401).end(`bad ${headers.authorization}`);
    expectNoSecrets(
      await collectTexts({ REMOTE_URL: `http://${url}/api/v1/import` }, { THUGSHELLS_REMOTE_TOKEN_FILE: '$TOKEN' }),
    );
  });

  test('when a receiver repeats the header and the password of their files', async () => {
    respond = ({ headers }, response) =>
      void response
        .writeHead(403)
        .end(
          `bad ${String(headers['x-scope-orgid'])}, ${JSON.stringify(headers)}, ${PASSWORD}, ${encodeURIComponent(HEADER)}`,
        );
    expectNoSecrets(
      await collectTexts(
        { REMOTE_URL: `http://${url}/api/v1/import`, REMOTE_USER: 'ann' },
        {
          THUGSHELLS_REMOTE_HEADERS_FILE: '$FOLDER/headers',
          THUGSHELLS_REMOTE_PASSWORD_FILE: '$FOLDER/password',
        },
      ),
    );
  });

  test('when a proxy repeats its own', async () => {
    respond = ({ url: path, headers }, response) =>
      void response.writeHead(407).end(`no ${path} for ${headers['proxy-authorization']}, which is ${PROXY_PASSWORD}`);
    const proxy = `http://bob:${encodeURIComponent(PROXY_PASSWORD)}@${url}`;
    expectNoSecrets(
      await collectTexts(
        { REMOTE_URL: `http://receiver.invalid/api/v1/import?authKey=${encodeURIComponent(KEY)}` },
        { HTTP_PROXY: proxy },
      ),
    );
  });
});

describe('credentials that cannot be sent', () => {
  test.each<[string, Record<string, string>, Record<string, string>, RegExp]>([
    [
      'a raw % in REMOTE_URL',
      { REMOTE_URL: 'https://ann:50%geheim@host/x' },
      {},
      /THUGSHELLS_REMOTE_URL=.*write it as %25/,
    ],
    [
      'a raw % in HTTPS_PROXY',
      { REMOTE_URL: 'https://host/x' },
      { HTTPS_PROXY: 'http://bob:50%geheim@proxy:1' },
      /HTTPS_PROXY=.*write it as %25/,
    ],
    [
      'a password beside a token',
      { REMOTE_URL: 'https://ann:geheim@host/x', REMOTE_TOKEN_FILE: '/etc/token' },
      {},
      /only one can be sent\nhint: remove the user and the password/,
    ],
  ])('end check-config and the uploader with 78 and the remedy: %s', async (_, variables, system, problem) => {
    agents = new AgentPair(variables);
    for (const args of [['check-config'], ['run']]) {
      const { code, stdout, stderr } = await runToEnd('uploader', { ...agents.environment, ...system }, args);
      expect([args, code, stderr]).toEqual([args, 78, expect.stringMatching(problem)]);
      expect(stdout + stderr).not.toContain('geheim');
    }
  });
});
