// Longer than a file should be: it is one table, with a few lines for each variable.
import { existsSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';

import {
  loadConfig,
  maskCredentials,
  type ConfigValues,
  type Environment,
  type LoadedConfig,
  type Variable,
} from './load-config.ts';
import { AgentError } from '../errors.ts';
import {
  decimal,
  duration,
  durationWithin,
  durationWithinOrZero,
  flag,
  httpUrl,
  integer,
  oneOf,
  optionalHttpUrl,
  optionalText,
  rate,
  sizeWithin,
  text,
  userName,
} from './formats.ts';
import { requireUsableCredentials } from './receiver-credentials.ts';
import { sharedVariables, VARIABLE_NAMES } from './variables.ts';

/** Returns the variables that the uploader reads. */
export function uploaderVariables(environment: Environment, hostName: string) {
  const credential = (id: string) => ({
    default: findCredentialFile(environment, id),
    defaultDoc: `\`$CREDENTIALS_DIRECTORY/${id}\` if that exists, else none`,
    format: optionalText,
  });
  return {
    ...sharedVariables(environment, hostName),
    remoteUrl: {
      env: 'REMOTE_URL',
      doc: 'URL that samples are sent to: VictoriaMetrics’ /api/v1/import, a cluster’s vminsert path, or a remote write endpoint.',
      default: 'http://127.0.0.1:8428/api/v1/import',
      format: httpUrl,
    },
    queryUrl: {
      env: 'QUERY_URL',
      doc: 'URL of the receiver’s query API, such as http://HOST:8428/api/v1: what verify reads, with the credentials of REMOTE_URL.',
      default: '',
      defaultDoc: 'derived from REMOTE_URL',
      format: optionalHttpUrl,
    },
    verifyIntervalMs: {
      env: 'VERIFY_INTERVAL',
      doc: 'Time between two comparisons of what was delivered since the last one with what the receiver returns; 0 disables them.',
      default: '0',
      format: durationWithinOrZero(1_000, 7 * 86_400_000, 'from 1s to 7d'),
    },
    verifyRequeue: {
      env: 'VERIFY_REQUEUE',
      doc: 'Whether samples that such a comparison finds missing are sent again, up to four times.',
      default: 'true',
      format: flag,
    },
    remoteTokenFile: {
      env: 'REMOTE_TOKEN_FILE',
      doc: 'File with the bearer token; readable by its owner only, read again when it changes.',
      ...credential('remote_token'),
    },
    remoteUser: {
      env: 'REMOTE_USER',
      doc: 'User of basic authentication at REMOTE_URL; needs REMOTE_PASSWORD_FILE.',
      default: '',
      defaultDoc: 'none',
      format: userName,
    },
    remotePasswordFile: {
      env: 'REMOTE_PASSWORD_FILE',
      doc: 'File with the password of REMOTE_USER; readable by its owner only, read again when it changes.',
      ...credential('remote_password'),
    },
    remoteHeadersFile: {
      env: 'REMOTE_HEADERS_FILE',
      doc: 'File with further headers of every request to the receiver, Name: value a line, such as X-Scope-OrgID; readable by its owner only, read again when it changes.',
      ...credential('remote_headers'),
    },
    remoteCaFile: {
      env: 'REMOTE_CA_FILE',
      doc: 'Certificates (PEM) of the authorities that REMOTE_URL is verified against, instead of the system’s.',
      ...credential('remote_ca'),
    },
    remoteCertFile: {
      env: 'REMOTE_CERT_FILE',
      doc: 'Client certificate (PEM) for REMOTE_URL; needs REMOTE_KEY_FILE.',
      ...credential('remote_cert'),
    },
    remoteKeyFile: {
      env: 'REMOTE_KEY_FILE',
      doc: 'Private key (PEM) of REMOTE_CERT_FILE; readable by its owner only.',
      ...credential('remote_key'),
    },
    remoteTimeoutMs: {
      env: 'REMOTE_TIMEOUT',
      doc: 'Timeout of an upload request; the receiver may queue a request for 60s.',
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
      doc: 'Samples in the first chunk of an upload; a chunk is the unit that is acknowledged.',
      default: '50',
      format: integer(1, 1_000_000),
    },
    chunkGrowth: {
      env: 'CHUNK_GROWTH',
      doc: 'Whether further chunks grow as the receiver accepts them; false keeps them at CHUNK_METRICS.',
      default: 'true',
      format: flag,
    },
    chunkMaxBytes: {
      env: 'CHUNK_MAX_BYTES',
      doc: 'Maximum gzipped bytes of a chunk that has grown.',
      default: '256KiB',
      format: sizeWithin(1024, 64 * 1024 ** 2, 'from 1KiB to 64MiB'),
    },
    uploadMaxRate: {
      env: 'UPLOAD_MAX_RATE',
      doc: 'Maximum rate at which the backlog is sent, such as 64KiB/s; the newest samples are not limited, except by remote write, which sends the oldest first.',
      default: '',
      defaultDoc: 'none',
      format: rate,
    },
    probeIntervalMs: {
      env: 'PROBE_INTERVAL',
      doc: 'Time between two probes of a receiver that is away: requests without a body, or connections (remote write); 0 disables them.',
      default: '5s',
      format: duration,
    },
    retryAttempts: {
      env: 'RETRY_ATTEMPTS',
      doc: 'Failed attempts in a row after which further ones are left to later uploads, one each; the samples stay pending.',
      default: '3',
      format: integer(1, 100),
    },
    retryInitialMs: { env: 'RETRY_INITIAL', doc: 'Backoff after the first attempt.', default: '5s', format: duration },
    retryMultiplier: {
      env: 'RETRY_MULTIPLIER',
      doc: 'Factor by which the backoff grows with each attempt.',
      default: '3',
      format: decimal(1, 100),
    },
    retryMaxMs: { env: 'RETRY_MAX', doc: 'Maximum backoff between two attempts.', default: '60s', format: duration },
    retryJitter: {
      env: 'RETRY_JITTER',
      doc: 'Share by which each backoff varies at random, so that the devices of a fleet do not retry at the same time.',
      default: '0.2',
      format: decimal(0, 1),
    },
    replayWindowMs: {
      env: 'REPLAY_WINDOW',
      doc: 'How long the receiver may take to store what it accepted: what it may have lost in a restart is sent again; 0 disables it.',
      default: '15s',
      format: duration,
    },
    tooOld: {
      env: 'TOO_OLD',
      doc: 'What is done with samples that are older than the receiver accepts, where its flags show that: reject puts them into quarantine, hold keeps them pending until they are accepted.',
      default: 'reject',
      format: oneOf('reject', 'hold'),
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
      doc: 'URL whose Date header this device’s clock is compared with.',
      default: '',
      defaultDoc: '`/health` at REMOTE_URL’s origin; for remote write REMOTE_URL itself',
      format: optionalHttpUrl,
    },
    clockSkewIntervalMs: {
      env: 'CLOCK_SKEW_INTERVAL',
      doc: 'Time between two measurements of the clock skew.',
      default: '5m',
      format: durationWithin(1_000, 86_400_000, 'from 1s to 1d'),
    },
    clockSkewWarnMs: {
      env: 'CLOCK_SKEW_WARN',
      doc: 'Clock skew above which health is degraded.',
      default: '2s',
      format: duration,
    },
    clockSkewPolicy: {
      env: 'CLOCK_SKEW_POLICY',
      doc: 'hold: samples are held while this clock is more than a day off; correct: samples are stamped by the receiver’s clock, for devices that never get the time.',
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
      doc: 'Pending samples above which HEALTH_ERROR_AFTER without an upload is an error; never below three intervals’ worth.',
      default: '10000',
      format: integer(1, 1e12),
    },
    healthErrorAfterMs: {
      env: 'HEALTH_ERROR_AFTER',
      doc: 'Time without an upload after which more than HEALTH_ERROR_PENDING pending samples are an error.',
      default: '10m',
      format: durationWithin(1_000, 86_400_000 * 30, 'from 1s to 30d'),
    },
  } satisfies Record<string, Variable<unknown>>;
}

export type UploaderConfig = ConfigValues<ReturnType<typeof uploaderVariables>>;

/** Finds the file of a credential that systemd has passed (systemd.exec(5), LoadCredential=); empty if there is none. */
function findCredentialFile(environment: Environment, id: string): string {
  const path = join(environment['CREDENTIALS_DIRECTORY'] ?? '', id);
  return environment['CREDENTIALS_DIRECTORY'] !== undefined && existsSync(path) ? path : '';
}

type LoadedUploaderConfig = LoadedConfig<ReturnType<typeof uploaderVariables>>;

/**
 * Reads the uploader's variables, wherever: what only its own unit gets, the address and the credentials, may be absent, and
 * is not compared.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function loadUploaderVariables(environment: Environment): LoadedUploaderConfig {
  return loadConfig(uploaderVariables(environment, hostname()), environment, VARIABLE_NAMES);
}

/**
 * Reads the uploader's configuration.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function loadUploaderConfig(environment: Environment): LoadedUploaderConfig {
  const loaded = loadUploaderVariables(environment);
  requireMatchingProtocol(loaded.values);
  requireUsableCredentials(loaded.values);
  return loaded;
}

/**
 * Refuses a URL of the other protocol: its server may respond to a body with 204 and drop it.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function requireMatchingProtocol({
  remoteUrl,
  remoteProtocol,
}: Pick<UploaderConfig, 'remoteUrl' | 'remoteProtocol'>): void {
  const { pathname } = new URL(remoteUrl);
  const isForLines = /\/api\/v1\/import\/?$/.test(pathname);
  const isForRemoteWrite = /\/api\/v1\/(write|push|receive)\/?$/.test(pathname);
  if (remoteProtocol === 'remote-write' ? !isForLines : !isForRemoteWrite) return;
  const [accepted, hint] = isForLines
    ? [
        'JSON lines',
        'set THUGSHELLS_REMOTE_URL to a remote write endpoint, such as http://HOST:9090/api/v1/write of Prometheus or http://HOST:8428/api/v1/write of VictoriaMetrics',
      ]
    : [
        'remote write',
        'set THUGSHELLS_REMOTE_PROTOCOL=remote-write, or set THUGSHELLS_REMOTE_URL to VictoriaMetrics’ /api/v1/import',
      ];
  throw new AgentError(
    `THUGSHELLS_REMOTE_URL=${maskCredentials(remoteUrl)}: accepts ${accepted}, and THUGSHELLS_REMOTE_PROTOCOL is ${remoteProtocol}`,
    {
      code: 'BAD_CONFIGURATION',
      hint,
    },
  );
}
