import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import { getProxyForUrl } from 'proxy-from-env';

import {
  loadConfig,
  maskCredentials,
  type ConfigValues,
  type Environment,
  type LoadedConfig,
  type Variable,
} from '@thugshells/shared/config/load-config.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import {
  decimal,
  duration,
  durationWithin,
  flag,
  httpUrl,
  integer,
  oneOf,
  optionalHttpUrl,
  optionalText,
  rate,
  sizeWithin,
  text,
} from '@thugshells/shared/config/formats.ts';
import { sharedVariables, VARIABLE_NAMES } from '@thugshells/shared/config/variables.ts';

/** Every variable that the uploader reads. */
export function uploaderVariables(environment: Environment, hostName: string) {
  const credential = (id: string): string => credentialFile(environment, id);
  return {
    ...sharedVariables(environment, hostName),
    remoteUrl: {
      env: 'REMOTE_URL',
      doc: 'Where samples are posted: VictoriaMetrics’ /api/v1/import, a cluster’s vminsert path, or what takes remote write.',
      default: 'http://127.0.0.1:8428/api/v1/import',
      format: httpUrl,
    },
    remoteTokenFile: {
      env: 'REMOTE_TOKEN_FILE',
      doc: 'File that holds the bearer token; readable by its owner only, read again when it changes.',
      default: credential('remote_token'),
      defaultDoc: '`$CREDENTIALS_DIRECTORY/remote_token` where that exists, else none',
      format: optionalText,
    },
    remoteCaFile: {
      env: 'REMOTE_CA_FILE',
      doc: 'Certificates (PEM) of the authorities that REMOTE_URL is checked against, in place of the usual ones.',
      default: credential('remote_ca'),
      defaultDoc: '`$CREDENTIALS_DIRECTORY/remote_ca` where that exists, else none',
      format: optionalText,
    },
    remoteCertFile: {
      env: 'REMOTE_CERT_FILE',
      doc: 'Certificate (PEM) that this board shows to REMOTE_URL; needs REMOTE_KEY_FILE.',
      default: credential('remote_cert'),
      defaultDoc: '`$CREDENTIALS_DIRECTORY/remote_cert` where that exists, else none',
      format: optionalText,
    },
    remoteKeyFile: {
      env: 'REMOTE_KEY_FILE',
      doc: 'Private key (PEM) of REMOTE_CERT_FILE.',
      default: credential('remote_key'),
      defaultDoc: '`$CREDENTIALS_DIRECTORY/remote_key` where that exists, else none',
      format: optionalText,
    },
    remoteTimeoutMs: {
      env: 'REMOTE_TIMEOUT',
      doc: 'Longest wait for an answer; the receiver may queue a request for 60s.',
      default: '70s',
      format: durationWithin(100, 3_600_000, 'from 100ms to 1h'),
    },
    uploadIntervalMs: {
      env: 'UPLOAD_INTERVAL',
      doc: 'Time between two uploads while there is no backlog.',
      default: '30s',
      format: durationWithin(100, 86_400_000, 'from 100ms to 1d'),
    },
    batchMetrics: {
      env: 'BATCH_METRICS',
      doc: 'Samples read from the database for one batch.',
      default: '2500',
      format: integer(1, 1_000_000),
    },
    chunkMetrics: {
      env: 'CHUNK_METRICS',
      doc: 'Samples in one chunk, the unit that is acknowledged.',
      default: '50',
      format: integer(1, 1_000_000),
    },
    chunkGrowth: {
      env: 'CHUNK_GROWTH',
      doc: 'Whether chunks grow while more than a batch is pending; false keeps them at CHUNK_METRICS.',
      default: 'true',
      format: flag,
    },
    chunkMaxBytes: {
      env: 'CHUNK_MAX_BYTES',
      doc: 'Most gzipped bytes of a chunk that has grown.',
      default: '256KiB',
      format: sizeWithin(1024, 64 * 1024 ** 2, 'from 1KiB to 64MiB'),
    },
    uploadMaxRate: {
      env: 'UPLOAD_MAX_RATE',
      doc: 'Bytes a second for the backlog, such as 64KiB/s; the newest samples are never held back.',
      default: '',
      defaultDoc: 'none',
      format: rate,
    },
    probeIntervalMs: {
      env: 'PROBE_INTERVAL',
      doc: 'How often a receiver that is away is asked whether it is back, by a request without a body; 0 turns it off.',
      default: '5s',
      format: duration,
    },
    retryAttempts: {
      env: 'RETRY_ATTEMPTS',
      doc: 'Tries of one chunk before the pass ends and its rows wait for the next one.',
      default: '3',
      format: integer(1, 100),
    },
    retryInitialMs: { env: 'RETRY_INITIAL', doc: 'Wait after the first try.', default: '5s', format: duration },
    retryMultiplier: {
      env: 'RETRY_MULTIPLIER',
      doc: 'Each further wait is this many times longer.',
      default: '3',
      format: decimal(1, 100),
    },
    retryMaxMs: { env: 'RETRY_MAX', doc: 'Longest wait between two tries.', default: '60s', format: duration },
    retryJitter: {
      env: 'RETRY_JITTER',
      doc: 'Share by which each wait varies at random, so that a fleet does not knock at once.',
      default: '0.2',
      format: decimal(0, 1),
    },
    replayWindowMs: {
      env: 'REPLAY_WINDOW',
      doc: 'What was accepted less than this long before its connection broke is sent again; 0 turns it off.',
      default: '15s',
      format: duration,
    },
    healthHost: {
      env: 'HEALTH_HOST',
      doc: 'Address that the health endpoint listens on.',
      default: '127.0.0.1',
      format: text,
    },
    healthPort: {
      env: 'HEALTH_PORT',
      doc: 'Port that the health endpoint listens on; 0 lets the kernel choose.',
      default: '9109',
      format: integer(0, 65_535),
    },
    clockSkewUrl: {
      env: 'CLOCK_SKEW_URL',
      doc: 'Address whose Date header this clock is compared with.',
      default: '',
      defaultDoc: '`/health` at REMOTE_URL’s origin',
      format: optionalHttpUrl,
    },
    clockSkewIntervalMs: {
      env: 'CLOCK_SKEW_INTERVAL',
      doc: 'Time between two comparisons of the clock.',
      default: '5m',
      format: durationWithin(1_000, 86_400_000, 'from 1s to 1d'),
    },
    clockSkewWarnMs: {
      env: 'CLOCK_SKEW_WARN',
      doc: 'Skew beyond which health is degraded.',
      default: '2s',
      format: duration,
    },
    clockSkewPolicy: {
      env: 'CLOCK_SKEW_POLICY',
      doc: 'hold: rows wait while this clock is more than a day off; correct: samples are stamped by the receiver’s clock, for boards that never get the time.',
      default: 'hold',
      format: oneOf('hold', 'correct'),
    },
    healthDegradedPending: {
      env: 'HEALTH_DEGRADED_PENDING',
      doc: 'Pending samples at which health is degraded; never below three intervals’ worth.',
      default: '5000',
      format: integer(1, 1e12),
    },
    healthErrorPending: {
      env: 'HEALTH_ERROR_PENDING',
      doc: 'Pending samples beyond which a silent receiver is an error; never below three intervals’ worth.',
      default: '10000',
      format: integer(1, 1e12),
    },
    healthErrorAfterMs: {
      env: 'HEALTH_ERROR_AFTER',
      doc: 'Time without an upload after which that is an error.',
      default: '10m',
      format: durationWithin(1_000, 86_400_000 * 30, 'from 1s to 30d'),
    },
  } satisfies Record<string, Variable<unknown>>;
}

export type UploaderConfig = ConfigValues<ReturnType<typeof uploaderVariables>>;

/** The file of a credential that systemd has passed (systemd.exec(5), LoadCredential=); empty where it has not. */
function credentialFile(environment: Environment, id: string): string {
  const path = join(environment['CREDENTIALS_DIRECTORY'] ?? '', id);
  return environment['CREDENTIALS_DIRECTORY'] !== undefined && existsSync(path) ? path : '';
}

/**
 * Reads the uploader's configuration.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function loadUploaderConfig(environment: Environment): LoadedConfig<ReturnType<typeof uploaderVariables>> {
  const loaded = loadConfig(uploaderVariables(environment, hostname()), environment, VARIABLE_NAMES);
  const { remoteCertFile, remoteKeyFile } = loaded.values;
  if ((remoteCertFile === '') !== (remoteKeyFile === '')) {
    const [given, missing] = remoteKeyFile === '' ? ['CERT', 'KEY'] : ['KEY', 'CERT'];
    throw new AgentError(
      `THUGSHELLS_REMOTE_${given}_FILE=${maskCredentials(remoteCertFile || remoteKeyFile)}: needs THUGSHELLS_REMOTE_${missing}_FILE beside it`,
      {
        code: 'BAD_CONFIGURATION',
        hint: 'a certificate and its key are two files, or one file that both variables name',
      },
    );
  }
  requireFittingUrl(loaded.values);
  return loaded;
}

/** At the wrong address a body may be answered with 204 and dropped. */
function requireFittingUrl({ remoteUrl, remoteProtocol }: Pick<UploaderConfig, 'remoteUrl' | 'remoteProtocol'>): void {
  const { pathname } = new URL(remoteUrl);
  const isForLines = /\/api\/v1\/import\/?$/.test(pathname);
  const isForRemoteWrite = /\/api\/v1\/(write|push|receive)\/?$/.test(pathname);
  if (remoteProtocol === 'remote-write' ? !isForLines : !isForRemoteWrite) return;
  const [taken, remedy] = isForLines
    ? [
        'JSON lines',
        'remote write has an address of its own, such as http://HOST:9090/api/v1/write of Prometheus or http://HOST:8428/api/v1/write of VictoriaMetrics',
      ]
    : ['remote write', 'set THUGSHELLS_REMOTE_PROTOCOL=remote-write, or name VictoriaMetrics’ /api/v1/import'];
  throw new AgentError(
    `THUGSHELLS_REMOTE_URL=${maskCredentials(remoteUrl)}: takes ${taken}, and THUGSHELLS_REMOTE_PROTOCOL is ${remoteProtocol}`,
    {
      code: 'BAD_CONFIGURATION',
      hint: remedy,
    },
  );
}

/** What systemd and the system's proxy variables say about uploads. */
export interface Surroundings {
  /** Directory of the unit's credentials (systemd.exec(5), LoadCredential=); empty if there is none. */
  readonly credentialsDirectory: string;
  /** Returns the URL of the proxy for a URL; empty for none. */
  readonly proxyFor: (url: string) => string;
}

/** Reads the variables that are not the program's own. */
export function surroundings(environment: Environment): Surroundings {
  return {
    credentialsDirectory: environment['CREDENTIALS_DIRECTORY'] ?? '',
    // HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY, in capitals or not.
    proxyFor: getProxyForUrl,
  };
}
