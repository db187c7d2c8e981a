import { createServer as createHttpServer, type RequestListener, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';

import { afterEach, expect, test } from '@jest/globals';

import { runToEnd } from '../support/agent-process.ts';
import { useTemporaryFolder } from '../support/temporary-folder.ts';
import { TestAuthority } from '../support/test-authority.ts';

/** THUGSHELLS_SCRAPE_CONFIG, by the built collector and exporters of ours. */

const folder = useTemporaryFolder();
const DAY_MS = 86_400_000;
const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

async function listen(server: Server): Promise<number> {
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function write(name: string, text: string): string {
  const path = folder.path(name);
  writeFileSync(path, text);
  return path;
}

/** Runs a command of the collector with a file of targets. */
async function runWith(command: 'once' | 'check-config', config: string) {
  const { code, stdout, stderr } = await runToEnd(
    'collector',
    {
      THUGSHELLS_COLLECTORS: 'scrape',
      THUGSHELLS_DEVICE_ID: 'b1',
      THUGSHELLS_SCRAPE_CONFIG: write('scrape.yml', config),
    },
    [command],
  );
  return { code, stdout, stderr };
}

/** The series of `once` as `job name`, without those that every scrape has. */
function toSeries(stdout: string): string[] {
  const lines = stdout.split('\n').filter((line) => line !== '');
  return lines
    .map((line) => (JSON.parse(line) as { metric: Record<string, string> }).metric)
    .filter(({ __name__: name }) => name === 'up' || !name!.startsWith('scrape_'))
    .map(({ __name__: name, job }) => `${job} ${name}`)
    .sort();
}

test('scrape config: targets are reached by basic authentication, by a token and over TLS, and their metrics are selected', async () => {
  const asked = new Map<string, string | undefined>();
  const answer: RequestListener = ({ url, headers }, response) => {
    asked.set(url!, headers.authorization);
    response.end('cam_a 1\ncam_debug 2\nother 3\n');
  };
  mkdirSync(folder.path('ca'));
  const authority = new TestAuthority(folder.path('ca'), 'test');
  const certificate = authority.issue({
    subjectAltName: 'DNS:camera.test',
    notBeforeMs: Date.now() - DAY_MS,
    notAfterMs: Date.now() + DAY_MS,
  });
  const [plain, secure] = [
    await listen(createHttpServer(answer)),
    await listen(createHttpsServer(certificate, answer)),
  ];
  write('password', 's3cret\n');
  const { code, stdout, stderr } = await runWith(
    'once',
    `
scrape_configs:
  - job_name: basic
    metrics_path: /basic
    basic_auth: { username: ann, password_file: password }
    metric_relabel_configs:
      - { source_labels: [__name__], action: keep, regex: "cam_(a|debug)" }
      - { source_labels: [__name__], action: drop, regex: .*_debug }
    static_configs: [{ targets: ["127.0.0.1:${plain}"] }]
  - job_name: token
    scheme: https
    metrics_path: /token
    params: { of: [front] }
    authorization: { credentials_file: password }
    tls_config: { ca_file: ${authority.file}, server_name: camera.test }
    sample_limit: 3
    static_configs: [{ targets: ["127.0.0.1:${secure}"] }]
`,
  );
  expect([code, stderr]).toEqual([0, '']);
  expect(toSeries(stdout)).toEqual([
    'basic cam_a',
    'basic up',
    'token cam_a',
    'token cam_debug',
    'token other',
    'token up',
  ]);
  expect(Object.fromEntries(asked)).toEqual({
    '/basic': `Basic ${Buffer.from('ann:s3cret').toString('base64')}`,
    '/token?of=front': 'Bearer s3cret',
  });
});

test('scrape config: a target with a wrong certificate, without its password, or of too many samples is named, and the others are scraped', async () => {
  const authority = new TestAuthority(folder.path('.'), 'other');
  const certificate = authority.issue({
    subjectAltName: 'DNS:other.test',
    notBeforeMs: Date.now() - DAY_MS,
    notAfterMs: Date.now() + DAY_MS,
  });
  const answer: RequestListener = (_request, response) => response.end('a 1\nb 2\n');
  const [plain, secure] = [
    await listen(createHttpServer(answer)),
    await listen(createHttpsServer(certificate, answer)),
  ];
  const { code, stdout, stderr } = await runWith(
    'once',
    `
scrape_configs:
  - { job_name: wrong, scheme: https, static_configs: [{ targets: ["127.0.0.1:${secure}"] }] }
  - job_name: any
    scheme: https
    tls_config: { insecure_skip_verify: true }
    static_configs: [{ targets: ["127.0.0.1:${secure}"] }]
  - job_name: lost
    authorization: { credentials_file: gone }
    static_configs: [{ targets: ["127.0.0.1:${plain}"] }]
  - { job_name: many, sample_limit: 1, static_configs: [{ targets: ["127.0.0.1:${plain}"] }] }
`,
  );
  expect(code).toBe(1);
  expect(stderr).toMatch(new RegExp(`scrape:wrong/127\\.0\\.0\\.1:${secure}: cannot scrape wrong/.*: .*certificate`));
  expect(stderr).toMatch(/cannot scrape lost\/.*: cannot read \/.*\/gone: ENOENT/);
  expect(stderr).toMatch(/cannot scrape many\/.*: 2 samples, sample_limit is 1/);
  expect(toSeries(stdout)).toEqual(['any a', 'any b', 'any up', 'lost up', 'many up', 'wrong up']);
});

test('scrape config: a file that cannot be used ends the collector with 78, and check-config names every problem', async () => {
  const bad = 'scrape_configs:\n- job_name: a\n  bearer_token: s3cret\n  static_configs: [{ targets: [h] }]\n';
  for (const command of ['once', 'check-config'] as const) {
    const { code, stderr } = await runWith(command, bad);
    expect(code).toBe(78);
    expect(stderr).toContain(
      `${folder.path('scrape.yml')}:3: scrape_configs[0].bearer_token: is not supported: use authorization with credentials_file`,
    );
    expect(stderr).not.toContain('s3cret');
  }
  expect((await runWith('check-config', bad.replace(/.*bearer.*\n/, ''))).code).toBe(0);
  const { code, stderr } = await runToEnd(
    'collector',
    { THUGSHELLS_SCRAPE_CONFIG: folder.path('gone.yml'), THUGSHELLS_DB_PATH: folder.path('metrics.db') },
    [],
  );
  expect([code, stderr]).toEqual([
    78,
    expect.stringContaining(`cannot read THUGSHELLS_SCRAPE_CONFIG=${folder.path('gone.yml')}`),
  ]);
});
