import { describe, expect, test } from '@jest/globals';

import { parseScrapeConfig } from '../../../../shared/src/config/scrape-config/scrape-config.ts';
import type { ScrapeTarget } from '../../../../shared/src/config/scrape-target-list.ts';

const PATH = '/etc/thugshells/scrape.yml';
const parse = (text: string): Promise<readonly ScrapeTarget[]> =>
  parseScrapeConfig(text, { path: PATH, defaults: { intervalMs: 30_000, timeoutMs: 10_000 } });

/** Returns the problems of a file, without its path. */
async function findProblems(text: string): Promise<string[]> {
  try {
    await parse(text);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'BAD_CONFIGURATION', hint: expect.stringContaining(`correct ${PATH}`) });
    const [first, ...problems] = (error as Error).message.split('\n');
    expect(first).toBe('cannot use THUGSHELLS_SCRAPE_CONFIG:');
    return problems.map((problem) => problem.replace(`  ${PATH}:`, ''));
  }
}

/** The lines of a job, after `job_name` in line 2. */
const job = (...lines: string[]): string =>
  [
    'scrape_configs:',
    '- job_name: a',
    ...lines.map((line) => `  ${line}`),
    '  static_configs: [{targets: [h:1]}]',
  ].join('\n');

describe('scrape config', () => {
  test('scrape config: reads targets with what Prometheus gives them by default', async () => {
    expect(
      await parse('scrape_configs:\n- job_name: node\n  static_configs:\n  - targets: [127.0.0.1:9100, nas]\n'),
    ).toEqual([
      expect.objectContaining({
        name: 'node/127.0.0.1:9100',
        url: 'http://127.0.0.1:9100/metrics',
        labels: { job: 'node', instance: '127.0.0.1:9100' },
        honorLabels: false,
        honorTimestamps: true,
        tracksTimestampedSeries: false,
        intervalMs: 30_000,
        timeoutMs: 10_000,
      }),
      expect.objectContaining({ url: 'http://nas/metrics', labels: { job: 'node', instance: 'nas:80' } }),
    ]);
  });

  test('scrape config: reads every field that is supported', async () => {
    const [target, ...others] = await parse(`
global: { scrape_interval: 1m30s, scrape_timeout: 5s }
scrape_configs:
  - job_name: "the cameras"
    scrape_timeout: 1500ms
    metrics_path: /probe
    scheme: https
    params: { module: [http, "a b"] }
    honor_labels: true
    honor_timestamps: false
    track_timestamps_staleness: true
    enable_compression: no
    sample_limit: 500
    authorization: { credentials_file: token }
    tls_config:
      ca_file: /ca.pem
      cert_file: c.pem
      key_file: k.pem
      server_name: camera
      insecure_skip_verify: true
    metric_relabel_configs:
      - { source_labels: [__name__], regex: "cam_.*|up_time", action: keep }
      - { source_labels: [__name__], regex: cam_debug.*, action: drop }
    static_configs:
      - targets: ["[fd00::5]:9443"]
        labels: { site: berlin, instance: front door }
`);
    expect(others).toEqual([]);
    expect(target).toMatchObject({
      name: 'the cameras/[fd00::5]:9443',
      url: 'https://[fd00::5]:9443/probe?module=http&module=a+b',
      labels: { job: 'the cameras', instance: 'front door', site: 'berlin' },
      intervalMs: 90_000,
      timeoutMs: 1_500,
      honorLabels: true,
      honorTimestamps: false,
      tracksTimestampedSeries: true,
      isCompressed: false,
      sampleLimit: 500,
      authentication: { scheme: 'Bearer', file: '/etc/thugshells/token' },
      tls: {
        caFile: '/ca.pem',
        certFile: '/etc/thugshells/c.pem',
        keyFile: '/etc/thugshells/k.pem',
        serverName: 'camera',
        isVerified: false,
      },
    });
    const names = ['cam_frames', 'cam_debug_x', 'up_time', 'up_times', 'xcam_frames'];
    expect(names.filter((name) => target!.keepsName!(name))).toEqual(['cam_frames', 'up_time']);
  });

  test('scrape config: a timeout that is not given is no longer than the interval, and a sample_limit of 0 is none', async () => {
    const [target] = await parse(job('scrape_interval: 2s', 'sample_limit: 0'));
    expect(target).toMatchObject({ intervalMs: 2_000, timeoutMs: 2_000, sampleLimit: undefined });
    const [other] = await parse(`global: {scrape_interval: 5s}\n${job('scrape_interval: 1m')}`);
    expect(other).toMatchObject({ intervalMs: 60_000, timeoutMs: 5_000 });
  });

  test('scrape config: verifies certificates unless it is turned off', async () => {
    const [target] = await parse(job('tls_config: { ca_file: ca.pem }'));
    expect(target!.tls).toMatchObject({ isVerified: true, caFile: '/etc/thugshells/ca.pem' });
  });

  test('scrape config: reads basic authentication with a password from a file', async () => {
    const [target] = await parse(job('basic_auth: { username: ann, password_file: /run/p }'));
    expect(target!.authentication).toEqual({ scheme: 'Basic', username: 'ann', file: '/run/p' });
  });

  test('scrape config: an expression whose search would take JavaScript years takes no time', async () => {
    const [target] = await parse(
      job('metric_relabel_configs: [{source_labels: [__name__], action: drop, regex: "(a+)+(a+)+b|(x|xx)*y"}]'),
    );
    const startedAt = performance.now();
    expect([target!.keepsName!(`${'a'.repeat(4_000)}c`), target!.keepsName!(`${'x'.repeat(4_000)}z`)]).toEqual([
      true,
      true,
    ]);
    expect(target!.keepsName!('aab')).toBe(false);
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });

  test('scrape config: a file without targets is none', async () => {
    expect([await parse(''), await parse('# none\n'), await parse('scrape_configs:\n')]).toEqual([[], [], []]);
  });
});

describe('scrape config: what cannot be used is refused with file, line and remedy', () => {
  test.each([
    [job('password: x'), '3: scrape_configs[0].password: is not supported: remove it'],
    [
      job('scrape_intervall: 1s'),
      '3: scrape_configs[0].scrape_intervall: is not supported: remove it; did you mean scrape_interval?',
    ],
    [
      job('relabel_configs: []'),
      '3: scrape_configs[0].relabel_configs: is not supported: write the labels and the targets into static_configs',
    ],
    [
      job('kubernetes_sd_configs: []'),
      '3: scrape_configs[0].kubernetes_sd_configs: is not supported: name the targets in static_configs',
    ],
    [
      job('follow_redirects: true'),
      '3: scrape_configs[0].follow_redirects: is not supported: remove it: redirects are not followed',
    ],
    [
      job('basic_auth: {username: a, password: s3cret}'),
      '3: scrape_configs[0].basic_auth.password: is not supported: secrets are read from files only, so that this one may be readable: use password_file',
    ],
    [
      job('authorization:', '  credentials: s3cret'),
      '4: scrape_configs[0].authorization.credentials: is not supported: secrets are read from files only, so that this one may be readable: use credentials_file',
    ],
    [
      job('authorization: {type: basic, credentials_file: c}'),
      '3: scrape_configs[0].authorization.type: must be a type without blanks, and not Basic, which basic_auth is for',
    ],
    [job('authorization: {type: Token}'), '3: scrape_configs[0].authorization: credentials_file is missing'],
    [
      job('basic_auth: {username: a, password_file: p}', 'authorization: {credentials_file: c}'),
      '4: scrape_configs[0].authorization: basic_auth is there too: remove one of them',
    ],
    [
      job('tls_config: {cert_file: c}'),
      '3: scrape_configs[0].tls_config: cert_file and key_file belong together: add the other one',
    ],
    [
      job('scrape_interval: 30'),
      '3: scrape_configs[0].scrape_interval: must be a duration such as 500ms, 15s or 1m30s, from 100ms to 1d',
    ],
    [
      job('scrape_interval: 5s', 'scrape_timeout: 6s'),
      '4: scrape_configs[0].scrape_timeout: is longer than scrape_interval: shorten it',
    ],
    [job('honor_labels: maybe'), '3: scrape_configs[0].honor_labels: must be true or false'],
    [job('params: [a]'), '3: scrape_configs[0].params: must be a mapping of names to values'],
    [job('scheme: ftp'), '3: scrape_configs[0].scheme: must be one of http, https'],
    [job('metrics_path: metrics'), '3: scrape_configs[0].metrics_path: must be a path that begins with /'],
    [
      job('metric_relabel_configs:', '- {source_labels: [__name__], action: keep, regex: "a(?=b)"}'),
      expect.stringMatching(/^4: scrape_configs\[0\]\.metric_relabel_configs\[0\]\.regex: is no expression of RE2: /),
    ],
    [
      job('metric_relabel_configs: [{source_labels: [job], action: drop, regex: x}]'),
      '3: scrape_configs[0].metric_relabel_configs[0].source_labels: must be [__name__]: metrics are kept or dropped by their name only',
    ],
    [
      job('metric_relabel_configs: [{source_labels: [__name__], action: replace, regex: x}]'),
      '3: scrape_configs[0].metric_relabel_configs[0].action: must be one of keep, drop',
    ],
    [
      'global: {external_labels: {a: b}}',
      '1: global.external_labels: is not supported: remove it, and set THUGSHELLS_LABELS',
    ],
    ['remote_write: []', '1: remote_write: is not supported: remove it, and set THUGSHELLS_REMOTE_URL'],
    ['scrape_configs:\n- static_configs: [{targets: [h]}]', '2: scrape_configs[0]: job_name is missing'],
    ['scrape_configs:\n- job_name: a', '2: scrape_configs[0]: no targets in static_configs'],
    [
      'scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: ["http://h/x"]\n    labels: {__x: y}',
      '5: scrape_configs[0].static_configs[0].labels.__x: a label must be of letters, digits and _, and must not begin with __',
    ],
    [
      'scrape_configs:\n- job_name: a\n  static_configs:\n  - targets: [h, h]',
      '3: scrape_configs[0].static_configs: a/h is there twice: remove one',
    ],
    ['scrape_configs: [*x]', expect.stringMatching(/^1: .*x/)],
    ['a: &x b\nscrape_configs: *x', expect.stringMatching(/^2: \*x: aliases are not supported/)],
    ['scrape_configs: [', expect.stringMatching(/^1: /)],
    ['scrape_configs: []\nscrape_configs: []', expect.stringMatching(/^2: /)],
    ['- a', '1: must be a mapping of names to values'],
    [`a: ${'['.repeat(30)}${']'.repeat(30)}`, '1: is nested too deeply'],
  ])('scrape config: %s', async (text, problem) => {
    const problems = await findProblems(text);
    expect(problems).toContainEqual(problem);
    expect(problems.join()).not.toContain('s3cret');
  });

  test('scrape config: all problems of a file are named', async () => {
    const text =
      'rule_files: [x]\nscrape_configs:\n- job_name: a\n  ec2_sd_configs: []\n  static_configs: [{targets: [a/b]}]\n';
    expect(await findProblems(text)).toEqual([
      '1: rule_files: is not supported: remove it: rules are for the receiver',
      '5: scrape_configs[0].static_configs[0].targets: "a/b" must be a host, or a host and a port: 192.168.1.5:9100',
      '3: scrape_configs[0]: no targets in static_configs',
      '4: scrape_configs[0].ec2_sd_configs: is not supported: name the targets in static_configs',
    ]);
  });

  test('scrape config: more than 100 targets are refused', async () => {
    const hosts = Array.from({ length: 101 }, (_, index) => `h${index}`).join(', ');
    expect(await findProblems(`scrape_configs:\n- job_name: a\n  static_configs: [{targets: [${hosts}]}]`)).toEqual([
      '1: scrape_configs: more than 100 targets: remove some',
    ]);
  });
});
