import { join } from 'node:path';

import { COLLECTOR_NAMES } from '../metrics/collector-names.ts';
import type { Environment, Variable } from './load-config.ts';
import { oneOf, text } from './formats.ts';
import { siteLabels } from './site-labels.ts';

/** Returns the variables that both programs read; `hostName` is the default name of the device. */
export function sharedVariables(environment: Environment, hostName: string) {
  const stateDirectory = environment['STATE_DIRECTORY']?.split(':')[0];
  return {
    ...deviceVariables(hostName),
    dbPath: {
      env: 'DB_PATH',
      doc: 'The database that collector and uploader share.',
      default: join(stateDirectory ?? 'var', 'metrics.db'),
      defaultDoc: '`$STATE_DIRECTORY/metrics.db`, else `var/metrics.db`',
      format: text,
    },
    logLevel: {
      env: 'LOG_LEVEL',
      doc: 'Least severe level that is logged: debug, info, warn or error.',
      default: 'info',
      format: oneOf('debug', 'info', 'warn', 'error'),
    },
    logFormat: {
      env: 'LOG_FORMAT',
      doc: 'json; console: local time, level, message and fields for people, in colors on a terminal unless NO_COLOR is set; auto: console on a terminal, else json.',
      default: 'auto',
      format: oneOf('auto', 'json', 'console'),
    },
    remoteProtocol: {
      env: 'REMOTE_PROTOCOL',
      doc: 'victoriametrics: JSON lines, the fewest bytes; the collector refuses what VictoriaMetrics would drop. remote-write: what Prometheus, Mimir and Thanos take (docs/remote-write.md).',
      default: 'victoriametrics',
      format: oneOf('victoriametrics', 'remote-write'),
    },
  } satisfies Record<string, Variable<unknown>>;
}

/** Returns what names the device and its place. */
function deviceVariables(hostName: string) {
  return {
    deviceId: {
      env: 'DEVICE_ID',
      doc: 'Name of this device: the label device_id of every series.',
      default: hostName,
      defaultDoc: 'host name',
      format: text,
    },
    siteLabels: {
      env: 'LABELS',
      doc: 'Labels that every series has besides, such as site=berlin,rack=3; a change begins new series (docs/collectors.md).',
      default: '',
      defaultDoc: 'none',
      format: siteLabels,
    },
  } satisfies Record<string, Variable<unknown>>;
}

/**
 * Every variable name of both programs, without prefix. The programs share one environment file and must not
 * import each other, so the names stand here; a test compares them with the two schemas.
 */
export const VARIABLE_NAMES: readonly string[] = [
  'DEVICE_ID',
  'LABELS',
  'DB_PATH',
  'LOG_LEVEL',
  'LOG_FORMAT',
  'COLLECTORS',
  'INTERVAL',
  ...COLLECTOR_NAMES.map((name) => `${name.toUpperCase()}_INTERVAL`),
  'PROC_ROOT',
  'SYS_ROOT',
  'HOST_ROOT',
  'KERNEL',
  'NETWORK_INCLUDE',
  'NETWORK_EXCLUDE',
  'NETWORK_MAX_INTERFACES',
  'TEXTFILE_DIR',
  'SCRAPE_TARGETS',
  'SCRAPE_CONFIG',
  'SCRAPE_TIMEOUT',
  'SCRAPE_MAX_SIZE',
  'SCRAPE_MAX_SERIES',
  'DISK_INCLUDE',
  'DISK_EXCLUDE',
  'DISK_SECTOR_BYTES',
  'FILESYSTEM_INCLUDE',
  'FILESYSTEM_EXCLUDE',
  'SERVICES',
  'PROCESSES',
  'COLLECTOR_MAX_SERIES',
  'MAX_SERIES',
  'FLUSH_INTERVAL',
  'SYNC_INTERVAL',
  'WAL_CHECKPOINT_INTERVAL',
  'WAL_CHECKPOINT_SIZE',
  'RETENTION',
  'DB_MAX_SIZE',
  'REMOTE_URL',
  'QUERY_URL',
  'VERIFY_INTERVAL',
  'VERIFY_REQUEUE',
  'REMOTE_PROTOCOL',
  'REMOTE_TOKEN_FILE',
  'REMOTE_USER',
  'REMOTE_PASSWORD_FILE',
  'REMOTE_HEADERS_FILE',
  'REMOTE_CA_FILE',
  'REMOTE_CERT_FILE',
  'REMOTE_KEY_FILE',
  'REMOTE_TIMEOUT',
  'UPLOAD_INTERVAL',
  'BATCH_METRICS',
  'CHUNK_METRICS',
  'CHUNK_GROWTH',
  'CHUNK_MAX_BYTES',
  'UPLOAD_MAX_RATE',
  'RETRY_ATTEMPTS',
  'RETRY_INITIAL',
  'RETRY_MULTIPLIER',
  'RETRY_MAX',
  'RETRY_JITTER',
  'PROBE_INTERVAL',
  'REPLAY_WINDOW',
  'TOO_OLD',
  'HEALTH_HOST',
  'HEALTH_PORT',
  'CLOCK_SKEW_URL',
  'CLOCK_SKEW_INTERVAL',
  'CLOCK_SKEW_WARN',
  'CLOCK_SKEW_POLICY',
  'HEALTH_DEGRADED_PENDING',
  'HEALTH_ERROR_PENDING',
  'HEALTH_ERROR_AFTER',
];
