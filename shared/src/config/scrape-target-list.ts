import { BlockList, isIP } from 'node:net';

import { findRawPercent, isSendable, type ValueFormat } from './formats.ts';

/** How requests to a target authenticate. */
export interface TargetAuthentication {
  /** Of the header Authorization: `Basic`, `Bearer` … */
  readonly scheme: string;
  /** Of Basic. */
  readonly username?: string;
  /** The file with the password or the token, read for each request. */
  readonly file?: string | undefined;
}

/** The certificates of a target that is reached by https; the files are read for each request. */
export interface TargetTls {
  readonly caFile?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly serverName?: string | undefined;
  readonly isVerified: boolean;
}

/** An exporter. */
export interface ScrapeTarget {
  /** Of its collector, which is `scrape:` and this. */
  readonly name: string;
  readonly url: string;
  /** What every series of it has: `job`, and `instance` with its host and port. */
  readonly labels: Readonly<Record<string, string>>;
  /** Whether a series keeps its own label where it has one of these: Prometheus' `honor_labels`. */
  readonly honorLabels: boolean;
  /** Whether samples have the times that the page gives them: Prometheus' `honor_timestamps`; true if it is missing. */
  readonly honorTimestamps?: boolean;
  /** Whether series with such times end as others do: Prometheus' `track_timestamps_staleness`. */
  readonly tracksTimestampedSeries?: boolean;
  readonly intervalMs?: number;
  readonly timeoutMs?: number;
  /** Whether the page may be packed; true if it is missing. */
  readonly isCompressed?: boolean;
  /** A page with more samples that are kept is a failure. */
  readonly sampleLimit?: number | undefined;
  /** Whether samples of a metric are kept; all, if it is missing. */
  readonly keepsName?: ((name: string) => boolean) | undefined;
  readonly authentication?: TargetAuthentication | undefined;
  readonly tls?: TargetTls | undefined;
}

/** Each target has a loop of its own. */
const MAX_TARGETS = 32;
const targetName = /^[A-Za-z0-9_.-]{1,64}$/;

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

/**
 * Parses `name=http://127.0.0.1:9100/metrics …`, separated by white space; may be empty. Only addresses of this machine
 * are accepted: the link to others may be down, and the uploader's connection is the only one that is managed.
 */
export const scrapeTargets: ValueFormat<readonly ScrapeTarget[]> = {
  expected:
    `name=http://127.0.0.1:9100/metrics, up to ${MAX_TARGETS} of them split on white space, each name once (letters, digits, "_", "-" and "."), ` +
    'addresses of this machine only: 127.0.0.0/8, [::1] or localhost',
  problem: (text) =>
    text
      .split(/\s+/)
      .map((word) => findRawPercent(word.slice(word.indexOf('=') + 1)))
      .find((problem) => problem !== undefined),
  parse(text) {
    const words = text.split(/\s+/).filter((word) => word !== '');
    const targets = words.flatMap((word) => parseTarget(word) ?? []);
    const names = new Set(targets.map(({ name }) => name));
    return names.size === words.length && words.length <= MAX_TARGETS ? targets : undefined;
  },
};

function parseTarget(word: string): ScrapeTarget | undefined {
  const equals = word.indexOf('=');
  const name = word.slice(0, Math.max(0, equals));
  const address = word.slice(equals + 1);
  if (!targetName.test(name) || !URL.canParse(address)) return undefined;
  const url = new URL(address);
  const isAccepted = url.protocol === 'http:' && isThisMachine(url.hostname) && isSendable(url);
  if (!isAccepted) return undefined;
  return {
    name,
    url: url.href,
    labels: { job: name, instance: toInstance(url) },
    honorLabels: false,
  };
}

/** Returns host and port, which Prometheus names a target by. */
export function toInstance({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

function isThisMachine(host: string): boolean {
  const address = host.replace(/^\[(.*)\]$/, '$1');
  switch (isIP(address)) {
    case 4:
      return loopback.check(address, 'ipv4');
    case 6:
      return loopback.check(address, 'ipv6');
    default:
      return host === 'localhost';
  }
}
