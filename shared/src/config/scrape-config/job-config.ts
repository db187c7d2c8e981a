import { flag, integer, isSendable, oneOf } from '../formats.ts';
import { toInstance, type ScrapeTarget } from '../scrape-target-list.ts';
import { createNameFilter, type NameFilter, type NameRule } from './name-filter.ts';
import { jobName, pagePath, prometheusDuration } from './prometheus-formats.ts';
import { readAuthentication, readScheme, readTls } from './target-connection.ts';
import type { YamlFields } from './yaml-fields.ts';

const interval = prometheusDuration(100, 86_400_000, 'from 100ms to 1d');
const timeout = prometheusDuration(100, 600_000, 'from 100ms to 10m');
const labelName = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What holds for a target unless its job has another value. */
export interface TargetDefaults {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** Prometheus' service discoveries. */
const DISCOVERIES =
  'azure consul digitalocean docker dockerswarm dns ec2 eureka file gce hetzner http ionos kubernetes kuma lightsail linode ' +
  'marathon nerve nomad openstack ovhcloud puppetdb scaleway serverset stackit triton uyuni vultr';

/** What to do about the fields that Prometheus knows. */
const REMEDIES: Readonly<Record<string, string>> = {
  ...Object.fromEntries(
    DISCOVERIES.split(' ').map((kind) => [`${kind}_sd_configs`, 'name the targets in static_configs']),
  ),
  relabel_configs: 'write the labels and the targets into static_configs',
  bearer_token: 'use authorization with credentials_file',
  bearer_token_file: 'use authorization with credentials_file',
  body_size_limit: 'remove it, and set THUGSHELLS_SCRAPE_MAX_SIZE',
  follow_redirects: 'remove it: redirects are not followed',
  scrape_protocols: 'remove it: text formats are asked for, OpenMetrics first',
  fallback_scrape_protocol: 'remove it: a page without a type is read as Prometheus’ text format',
  label_limit: 'remove it: docs/victoriametrics-setup.md has the limits of series',
  label_name_length_limit: 'remove it: docs/victoriametrics-setup.md has the limits of series',
  label_value_length_limit: 'remove it: docs/victoriametrics-setup.md has the limits of series',
  target_limit: 'remove it',
  proxy_url: 'remove it: targets are reached without a proxy',
  proxy_from_environment: 'remove it: targets are reached without a proxy',
  oauth2: 'use basic_auth or authorization',
  http_headers: 'use basic_auth or authorization',
};

/** Reads the intervals of the file or of a job. */
export function readTimes(fields: YamlFields, defaults: TargetDefaults): TargetDefaults {
  const intervalMs = fields.read('scrape_interval', interval) ?? defaults.intervalMs;
  const given = fields.read('scrape_timeout', timeout);
  if (given !== undefined && given > intervalMs)
    fields.refuse('scrape_timeout', 'is longer than scrape_interval: shorten it');
  return { intervalMs, timeoutMs: Math.min(given ?? defaults.timeoutMs, intervalMs) };
}

/** Reads the targets of a job. @param folder of the file, which paths are relative to */
export async function readJob(job: YamlFields, folder: string, defaults: TargetDefaults): Promise<ScrapeTarget[]> {
  const name = job.read('job_name', jobName);
  if (name === undefined && !job.has('job_name')) job.refuse(undefined, 'job_name is missing');
  const tls = readTls(job, folder);
  const common = {
    ...readTimes(job, defaults),
    honorLabels: job.read('honor_labels', flag) ?? false,
    honorTimestamps: job.read('honor_timestamps', flag) ?? true,
    tracksTimestampedSeries: job.read('track_timestamps_staleness', flag) ?? false,
    isCompressed: job.read('enable_compression', flag) ?? true,
    sampleLimit: job.read('sample_limit', integer(0, 1_000_000)) || undefined,
    keepsName: await readNameFilter(job),
    authentication: readAuthentication(job, folder),
    tls,
  };
  const address = {
    scheme: readScheme(job),
    path: job.read('metrics_path', pagePath) ?? '/metrics',
    query: readQuery(job),
  };
  const targets = job.readFieldsList('static_configs').flatMap((group) => readGroup(group, name ?? '', address));
  if (targets.length === 0) job.refuse(undefined, 'no targets in static_configs');
  job.refuseOthers(REMEDIES);
  return targets.map((target) => ({ ...common, ...target }));
}

function readQuery(job: YamlFields): string {
  const params = job.readFields('params');
  if (params === undefined) return '';
  const pairs = params
    .listNames()
    .flatMap((name) => params.readTexts(name).map((value): [string, string] => [name, value]));
  return new URLSearchParams(pairs).toString();
}

type TargetAddress = Pick<ScrapeTarget, 'name' | 'url' | 'labels'>;

function readGroup(
  group: YamlFields,
  job: string,
  { scheme, path, query }: { readonly scheme: string; readonly path: string; readonly query: string },
): TargetAddress[] {
  const labels = readLabels(group);
  const targets = group.readTexts('targets').flatMap((target): TargetAddress[] => {
    const address = `${scheme}://${target}${path}${query === '' ? '' : `?${query}`}`;
    const url = /^[^\s/?#@]+$/.test(target) && URL.canParse(address) ? new URL(address) : undefined;
    if (url === undefined || url.hostname === '' || !isSendable(url)) {
      group.refuse('targets', `"${target}" must be a host, or a host and a port: 192.168.1.5:9100`);
      return [];
    }
    const instance = /:\d+$/.test(target) ? target : toInstance(url);
    return [{ name: `${job}/${target}`, url: url.href, labels: { job, instance, ...labels } }];
  });
  group.refuseOthers();
  return targets;
}

function readLabels(group: YamlFields): Record<string, string> {
  const fields = group.readFields('labels');
  if (fields === undefined) return {};
  const any = { expected: 'a text', parse: (given: string) => given };
  return Object.fromEntries(
    fields.listNames().flatMap((name): [string, string][] => {
      if (!labelName.test(name) || name.startsWith('__'))
        fields.refuse(name, 'a label must be of letters, digits and _, and must not begin with __');
      const value = fields.read(name, any);
      return value === undefined ? [] : [[name, value]];
    }),
  );
}

/** Reads `metric_relabel_configs`, of which those are supported that keep or drop metrics by their name. */
async function readNameFilter(job: YamlFields): Promise<NameFilter | undefined> {
  const given = job.readFieldsList('metric_relabel_configs');
  if (given.length === 0) return undefined;
  const any = { expected: 'a regular expression', parse: (text: string) => text };
  const rules = given.map((fields): NameRule => {
    const action = fields.read('action', oneOf('keep', 'drop'));
    const regex = fields.read('regex', any);
    const sources = fields.readTexts('source_labels');
    if (action === undefined && !fields.has('action')) fields.refuse(undefined, 'action must be keep or drop');
    if (regex === undefined && !fields.has('regex')) fields.refuse(undefined, 'regex is missing');
    if (sources.length !== 1 || sources[0] !== '__name__')
      fields.refuse('source_labels', 'must be [__name__]: metrics are kept or dropped by their name only');
    fields.refuseOthers({
      separator: 'remove it: there is one source label',
      target_label: 'labels are not changed: change them where they are queried',
      replacement: 'labels are not changed: change them where they are queried',
      modulus: 'remove it',
    });
    return { action: action ?? 'keep', regex: regex ?? '' };
  });
  return createNameFilter(rules, (index, reason) =>
    given[index]!.refuse('regex', `is no expression of RE2: ${reason}`),
  );
}
