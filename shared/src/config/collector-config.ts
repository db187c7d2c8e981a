// Longer than a file should be: it is one table, with a few lines for each variable.
import { hostname } from 'node:os';

import { cleanValue } from './environment-values.ts';
import {
  createConfigurationError,
  loadConfig,
  PREFIX,
  type ConfigValues,
  type Environment,
  type LoadedConfig,
  type Variable,
} from './load-config.ts';
import {
  duration,
  durationWithin,
  integer,
  oneOf,
  optionalText,
  patterns,
  sizeWithin,
  text,
  wordList,
  type ValueFormat,
} from './formats.ts';
import { sharedVariables, VARIABLE_NAMES } from './variables.ts';
import { COLLECTOR_NAMES, type CollectorName } from '../metrics/collector-names.ts';

import { processList } from './process-list.ts';
import { scrapeTargets } from './scrape-target-list.ts';
import { unitList } from './unit-list.ts';

/** Scrapes more often than this would mostly measure themselves. */
const intervalFormat = durationWithin(100, 86_400_000, 'from 100ms to 1d');

const sectorBytesFormat: ValueFormat<512 | 'sysfs'> = {
  expected: '512 or sysfs',
  parse: (given) => (given === '512' ? 512 : given === 'sysfs' ? 'sysfs' : undefined),
};

/** Collectors that run only if a variable of their own is set. */
const requiredVariables: { readonly [Name in CollectorName]?: readonly string[] } = {
  service: ['SERVICES'],
  process: ['PROCESSES'],
  textfile: ['TEXTFILE_DIR'],
  scrape: ['SCRAPE_TARGETS', 'SCRAPE_CONFIG'],
};

/** Whether a collector has one of the variables that it needs. */
function isConfigured(name: CollectorName, environment: Environment): boolean {
  const isGiven = (variable: string): boolean => cleanValue(environment[PREFIX + variable] ?? '').trim() !== '';
  return requiredVariables[name]?.some(isGiven) ?? true;
}

/**
 * Overlays show the space of file systems that are reported by themselves, and images are always full. Sandboxes of
 * containers (ids of 64 digits) and pods (UUIDs) are new series with every start, wherever an engine keeps them.
 */
const DEFAULT_FILESYSTEM_EXCLUDE = [
  'overlay squashfs erofs iso9660',
  '/dev /dev/.* /proc/.* /sys/.* /run/credentials/.*',
  '/var/lib/docker/.* /var/lib/containers/storage/.* /var/lib/containerd/.* /var/lib/kubelet/.*',
  '/run/containerd/.* /run/k3s/.* /.*/[0-9a-f]{64} /.*/[0-9a-f]{64}/.* /.*/pods/[0-9a-f-]{36}/.*',
].join(' ');

const DEFAULT_INTERVAL = '30s';
/** What changes quickly is scraped more often, and less often what changes slowly or is counted by the kernel meanwhile. */
const otherDefaultIntervals: { readonly [Name in CollectorName]?: string } = {
  cpu: '10s',
  network: '10s',
  link: '60s',
  resources: '60s',
  power: '60s',
  system: '60s',
  self: '60s',
};

function createIntervalVariables() {
  const entries = COLLECTOR_NAMES.map((name): [string, Variable<number>] => [
    `${name}IntervalMs`,
    {
      env: `${name.toUpperCase()}_INTERVAL`,
      doc: `Time between two scrapes of the collector ${name}.`,
      default: otherDefaultIntervals[name] ?? DEFAULT_INTERVAL,
      inheritsFrom: 'INTERVAL',
      format: intervalFormat,
    },
  ]);
  return Object.fromEntries(entries) as Readonly<Record<`${CollectorName}IntervalMs`, Variable<number>>>;
}

/** Every variable that the collector reads. */
export function collectorVariables(environment: Environment, hostName: string, platform: string) {
  return {
    ...sharedVariables(environment, hostName),
    collectors: {
      env: 'COLLECTORS',
      doc: 'Collectors that run.',
      default: COLLECTOR_NAMES.filter((name) => isConfigured(name, environment)).join(' '),
      defaultDoc: `\`${COLLECTOR_NAMES.filter((name) => isConfigured(name, {})).join(' ')}\`; \`service\`, \`process\`, \`textfile\` and \`scrape\` if their variable is set`,
      format: wordList(COLLECTOR_NAMES),
    },
    interval: {
      env: 'INTERVAL',
      doc: 'Time between two scrapes, for all collectors at once; a collector’s own variable overrides it.',
      default: '',
      defaultDoc: 'none',
      format: {
        expected: intervalFormat.expected,
        parse: (given: string) => (given === '' ? 0 : intervalFormat.parse(given)),
      },
    },
    ...createIntervalVariables(),
    procRoot: { env: 'PROC_ROOT', doc: 'Where the proc file system is mounted.', default: '/proc', format: text },
    sysRoot: { env: 'SYS_ROOT', doc: 'Where the sysfs is mounted.', default: '/sys', format: text },
    hostRoot: {
      env: 'HOST_ROOT',
      doc: 'Where the root of the host is mounted: below it are /etc and /run, with its release, time zone and time synchronization.',
      default: cleanValue(environment[`${PREFIX}PROC_ROOT`] ?? '').trim() === '' ? '/' : '',
      defaultDoc: '`/`; none if PROC_ROOT is set',
      format: optionalText,
    },
    kernel: {
      env: 'KERNEL',
      doc: 'linux, or simulated: invented kernel files, every sample of which is labelled simulated="true".',
      default: platform === 'linux' ? 'linux' : 'simulated',
      defaultDoc: '`linux`; `simulated` if the platform is not Linux',
      format: oneOf('linux', 'simulated'),
    },
    networkInclude: {
      env: 'NETWORK_INCLUDE',
      doc: 'Interfaces to collect, as anchored regular expressions split on white space; empty for all.',
      default: '',
      defaultDoc: 'none',
      format: patterns,
    },
    networkExclude: {
      env: 'NETWORK_EXCLUDE',
      doc: 'Interfaces to leave out, as anchored regular expressions split on white space.',
      default: 'lo docker.* veth.* br-.* virbr.* wlan.*mon',
      format: patterns,
    },
    networkMaxInterfaces: {
      env: 'NETWORK_MAX_INTERFACES',
      doc: 'Maximum number of interfaces that are collected; the rest is counted.',
      default: '32',
      format: integer(1, 10_000),
    },
    textfileDir: {
      env: 'TEXTFILE_DIR',
      doc: 'Directory of text files, *.prom in Prometheus’ text format or OpenMetrics, that scripts of node_exporter’s textfile collector write.',
      default: '',
      defaultDoc: 'none',
      format: optionalText,
    },
    scrapeTargets: {
      env: 'SCRAPE_TARGETS',
      doc: 'Exporters on this machine, name=http://127.0.0.1:9100/metrics split on white space; the name becomes the label job, host and port the label instance.',
      default: '',
      defaultDoc: 'none',
      format: scrapeTargets,
    },
    scrapeConfig: {
      env: 'SCRAPE_CONFIG',
      doc: 'File of more scrape targets, also on other hosts: a part of Prometheus’ scrape_configs (docs/scrape-targets.md).',
      default: '',
      defaultDoc: 'none',
      format: optionalText,
    },
    scrapeTimeoutMs: {
      env: 'SCRAPE_TIMEOUT',
      doc: 'Timeout for a whole page of a scrape target; never longer than SCRAPE_INTERVAL.',
      default: '10s',
      format: durationWithin(100, 600_000, 'from 100ms to 10m'),
    },
    scrapeMaxBytes: {
      env: 'SCRAPE_MAX_SIZE',
      doc: 'Maximum size of a scrape target’s page; of a larger one nothing is stored.',
      default: '4MiB',
      format: sizeWithin(1024, 64 * 1024 ** 2, 'from 1KiB to 64MiB'),
    },
    scrapeMaxSeries: {
      env: 'SCRAPE_MAX_SERIES',
      doc: 'Maximum number of series of one scrape target that are stored in an hour; the rest is counted.',
      default: '3000',
      format: integer(1, 1_000_000),
    },
    diskInclude: {
      env: 'DISK_INCLUDE',
      doc: 'Block devices to collect, as anchored regular expressions split on white space; empty for all whole devices.',
      default: '',
      defaultDoc: 'whole devices',
      format: patterns,
    },
    diskExclude: {
      env: 'DISK_EXCLUDE',
      doc: 'Block devices to leave out, as anchored regular expressions split on white space.',
      default: 'loop.* ram.* zram.* dm-.* sr.*',
      format: patterns,
    },
    diskSectorBytes: {
      env: 'DISK_SECTOR_BYTES',
      doc: 'Bytes in a sector of /proc/diskstats: 512 whatever the device, or sysfs for its logical block size.',
      default: '512',
      format: sectorBytesFormat,
    },
    filesystemInclude: {
      env: 'FILESYSTEM_INCLUDE',
      doc: 'Mount points and types of file systems to collect, as anchored regular expressions split on white space; empty for all.',
      default: '',
      defaultDoc: 'none',
      format: patterns,
    },
    filesystemExclude: {
      env: 'FILESYSTEM_EXCLUDE',
      doc: 'Mount points and types of file systems to leave out, as anchored regular expressions split on white space; overlay does not leave out the root. The default: overlays, images, and the sandboxes of units, containers and pods.',
      default: DEFAULT_FILESYSTEM_EXCLUDE,
      format: patterns,
    },
    services: {
      env: 'SERVICES',
      doc: 'systemd units to collect, such as encoder.service, camera@1.service or encoder.slice, split on white space; turns the collector service on.',
      default: '',
      defaultDoc: 'none',
      format: unitList,
    },
    processes: {
      env: 'PROCESSES',
      doc: 'Processes to collect by their names, such as encoder or gst-launch-1.0, split on white space; turns the collector process on.',
      default: '',
      defaultDoc: 'none',
      format: processList,
    },
    collectorMaxSeries: {
      env: 'COLLECTOR_MAX_SERIES',
      doc: 'Maximum number of series of one collector that are stored in an hour; the rest is counted.',
      default: '1000',
      format: integer(1, 1_000_000),
    },
    maxSeries: {
      env: 'MAX_SERIES',
      doc: 'Maximum number of series of all collectors together that are stored in an hour; the rest is counted.',
      default: '5000',
      format: integer(1, 1_000_000),
    },
    flushIntervalMs: {
      env: 'FLUSH_INTERVAL',
      doc: 'Scrapes are buffered this long and committed together, which spares flash; a kill or a power cut loses that much more. 0: those of collectors that are due at once are one commit.',
      default: '0',
      format: durationWithin(0, 60_000, 'from 0 to 60s'),
    },
    syncIntervalMs: {
      env: 'SYNC_INTERVAL',
      doc: 'One commit in each interval is fsynced; a power cut loses at most this much.',
      default: '30s',
      format: duration,
    },
    walCheckpointIntervalMs: {
      env: 'WAL_CHECKPOINT_INTERVAL',
      doc: 'Longest time between two WAL checkpoints.',
      default: '1h',
      format: durationWithin(1_000, 86_400_000, 'from 1s to 1d'),
    },
    walCheckpointBytes: {
      env: 'WAL_CHECKPOINT_SIZE',
      doc: 'Size of the WAL at which a checkpoint runs at once.',
      default: '64MiB',
      format: sizeWithin(64 * 1024, 2 ** 40, 'from 64KiB on'),
    },
    retentionMs: {
      env: 'RETENTION',
      doc: 'Age from which delivered samples are deleted; those that are pending or provisional stay.',
      default: '72h',
      format: durationWithin(60_000, 86_400_000 * 3650, 'from 1m to 3650d'),
    },
    dbMaxBytes: {
      env: 'DB_MAX_SIZE',
      doc: 'Maximum size of database, WAL and ballast together. At the cap delivered samples are evicted first, then pending ones are thinned, then dropped: the least important first, of those the oldest.',
      default: '512MiB',
      format: sizeWithin(8 * 1024 ** 2, 2 ** 40, 'from 8MiB on'),
    },
  } satisfies Record<string, Variable<unknown>>;
}

export type CollectorConfig = ConfigValues<ReturnType<typeof collectorVariables>>;

/**
 * Reads the collector's configuration.
 *
 * @throws AgentError BAD_CONFIGURATION
 */
export function loadCollectorConfig(environment: Environment): LoadedConfig<ReturnType<typeof collectorVariables>> {
  const loaded = loadConfig(collectorVariables(environment, hostname(), process.platform), environment, VARIABLE_NAMES);
  const lacking = loaded.values.collectors.filter((name) => !isConfigured(name, environment));
  if (lacking.length > 0) {
    throw createConfigurationError(
      lacking.map((name) => {
        const variables = requiredVariables[name]!.map((variable) => PREFIX + variable).join(' or ');
        return `${PREFIX}COLLECTORS names ${name}, and ${variables} is not set`;
      }),
    );
  }
  return loaded;
}
