import {
  collectorSeries,
  scrapeSeries,
  storageSeries,
  textfileSeries,
  timeSeries,
  uploaderSeries,
} from '@thugshells/shared/metrics/agent-series.ts';
import { namesOf } from '@thugshells/shared/metrics/series.ts';

/** Stored names of what collectors read of the kernel, as docs/collectors.md lists them; a test compares the two. */
const KERNEL_NAMES: readonly string[] = [
  ...[
    'cpu.usage_percent',
    'cpu.mode_percent',
    'cpu.frequency_hertz',
    'cpu.frequency_limit_hertz',
    'cpu.frequency_max_hertz',
  ],
  ...[
    'cpu.throttles_total',
    'cpu.package_throttles_total',
    'cpu.throttled',
    'cpu.throttled_since_boot',
    'cpu.temperature_celsius',
  ],
  ...['memory.used_bytes', 'memory.available_bytes', 'memory.swap_used_bytes'],
  ...['read', 'write'].flatMap((way) =>
    ['bytes_total', 'ops_total', 'bytes_per_second', 'ops_per_second'].map((what) => `disk.${way}_${what}`),
  ),
  ...[
    'disk.io_time_seconds_total',
    'disk.io_time_weighted_seconds_total',
    'disk.life_time_estimate',
    'disk.pre_eol_state',
  ],
  ...['rx', 'tx'].flatMap((way) =>
    ['bytes', 'packets', 'errors', 'dropped'].map((what) => `network.${way}_${what}_total`),
  ),
  ...['network.interfaces_dropped_total', 'thermal.cooling_state', 'thermal.cooling_state_max'],
  ...['load.average_1m', 'load.average_5m', 'load.average_15m', 'system.uptime_seconds'],
  ...[
    'system.context_switches_total',
    'system.interrupts_total',
    'system.processes_started_total',
    'system.processes_running',
    'system.processes_blocked',
  ],
  ...['system.boot_id', 'system.kernel', 'collector.build', 'collector.series_dropped_total'],
  ...[
    'filesystem.size_bytes',
    'filesystem.available_bytes',
    'filesystem.files',
    'filesystem.files_free',
    'filesystem.readonly',
    'filesystem.unreadable',
  ],
  'pressure.stalled_seconds_total',
];

/** The stored names of every series of the agent's own: nobody else's series may leave the board under one of them. */
export const OWN_NAMES: readonly string[] = [
  ...KERNEL_NAMES,
  ...[collectorSeries, uploaderSeries, storageSeries, timeSeries, scrapeSeries, textfileSeries].flatMap((group) =>
    Object.values(group).flatMap(namesOf),
  ),
];
