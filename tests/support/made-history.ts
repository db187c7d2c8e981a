import type { ExportedSeries } from './victoria-metrics.ts';

/** Minutes of a history, one sample of each series in each; trouble begins in the middle. */
export const HISTORY_MINUTES = 180;
export const TROUBLE_MINUTE = 90;
const MINUTE_MS = 60_000;

/** A label that THUGSHELLS_LABELS puts on every series. */
export const SITE = 'berlin';

/** Labels of a series, and its value at a minute; undefined for no sample. */
export type Trouble = Readonly<
  Record<string, (minute: number, labels: Readonly<Record<string, string>>) => number | undefined>
>;

/** What every board says while all is well, whatever the machine says that the test runs on. */
const ALL_IS_WELL: Trouble = {
  uploader_health_status: () => 0,
  uploader_component_status: () => 0,
  storage_oldest_pending_seconds: () => 5,
  storage_metrics_rejected: () => 0,
  storage_metrics_dropped: () => 0,
  time_skew_ms: () => 12,
  collector_metrics_failed_total: () => 0,
  disk_life_time_estimate: () => 2,
  disk_pre_eol_state: () => 1,
  filesystem_size_bytes: () => 1e9,
  filesystem_available_bytes: () => 5e8,
  filesystem_readonly: () => 0,
  filesystem_errors_total: () => 0,
  disk_io_errors_total: () => 4,
  power_online: () => 1,
  power_capacity_percent: () => 87,
  memory_oom_kills_total: () => 0,
  kernel_files_open: () => 1_344,
  kernel_files_max: () => 391_527,
  system_clock_synchronized: () => 1,
  cpu_temperature_celsius: () => 50,
  cpu_throttled: () => 0,
  system_uptime_seconds: (minute) => 1_000 + 60 * minute,
};

/**
 * A board's history as VictoriaMetrics' JSON lines: the series are those that a real board exported, for a board of
 * another name; values are the last ones, or what is well, and from TROUBLE_MINUTE on what the trouble makes of them.
 */
export function historyOf(
  device: string,
  series: readonly ExportedSeries[],
  { beginMs, trouble }: { readonly beginMs: number; readonly trouble: Trouble },
): string {
  return series
    .map(({ metric, values }) => {
      const name = metric['__name__']!;
      const usual = ALL_IS_WELL[name] ?? (() => values.at(-1)!);
      const troubled = trouble[name] ?? trouble['*'] ?? usual;
      const samples = Array.from({ length: HISTORY_MINUTES }, (_, minute) => ({
        timestamp: beginMs + minute * MINUTE_MS,
        value: (minute < TROUBLE_MINUTE ? usual : troubled)(minute, metric),
      })).filter(({ value }) => value !== undefined);
      return JSON.stringify({
        metric: { ...metric, device_id: device, site: SITE },
        values: samples.map(({ value }) => value),
        timestamps: samples.map(({ timestamp }) => timestamp),
      });
    })
    .join('\n');
}
