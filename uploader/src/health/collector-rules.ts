import { toLateMs } from '@thugshells/shared/state/collector-status.ts';

import type { CollectorSnapshot, Snapshot } from '../telemetry/snapshot.ts';
import type { ComponentHealth } from './component-health.ts';
import { formatAge, toRfc3339 } from './formatting.ts';
import { describeBlockingLock } from './lock-rule.ts';

/** Both programs are started together: for this long the collector is not late. */
const STARTING_MS = 30_000;
export const COLLECTOR_LOG = 'run: journalctl -u thugshells-collector';
export const COLLECTOR_STATUS = 'run: systemctl status thugshells-collector';

/** One collector: late, failing, absent from this kernel, or scraping. */
export function collectorHealth(row: CollectorSnapshot, snapshot: Snapshot): ComponentHealth {
  const details = {
    last_scrape: toRfc3339(row.lastScrapeMs),
    interval_seconds: row.intervalMs / 1000,
    duration_ms: row.durationMs,
    collected: row.collected,
    failed: row.failed,
  };
  if (row.lastScrapeAgeMs > lateAfterMs(row.intervalMs, snapshot.storage.flushIntervalMs)) {
    const age = formatAge(row.lastScrapeAgeMs);
    const lock = describeBlockingLock(snapshot, true);
    const message = lock === undefined ? `no scrape for ${age}; ${COLLECTOR_LOG}` : `not stored for ${age}: ${lock}`;
    return { status: 'degraded', reason: lock === undefined ? 'scrape_overdue' : 'database_locked', message, details };
  }
  if (row.status === 'failing')
    return { status: 'degraded', reason: 'scrape_failing', message: `${row.message}; ${COLLECTOR_LOG}`, details };
  if (row.lastScrapeMs === 0) return { status: 'ok', message: 'waiting for its first scrape', details };
  return { status: 'ok', message: row.status === 'absent' ? 'not on this kernel' : 'scraping', details };
}

/** Returns how old a last scrape may be. A scrape is stored with the next flush. */
function lateAfterMs(intervalMs: number, flushIntervalMs: number): number {
  return toLateMs(intervalMs) + flushIntervalMs;
}

/** Whether the collector has stored nothing for longer than it should. */
export function isHeartbeatLate({ collectors, heartbeatAgeMs, storage }: Snapshot): boolean {
  const shortestIntervalMs = Math.min(...collectors.map(({ intervalMs }) => intervalMs));
  return heartbeatAgeMs > lateAfterMs(shortestIntervalMs, storage.flushIntervalMs);
}

/** Whether the uploader has just started, and still waits for what the collector stores first. */
export function waitsForCollector(snapshot: Snapshot): boolean {
  const { isRunning, uptimeSeconds, heartbeatMs, startedAtMs, collectors } = snapshot;
  if (!isRunning || uptimeSeconds * 1000 >= STARTING_MS || heartbeatMs >= startedAtMs) return false;
  return collectors.length === 0 || isHeartbeatLate(snapshot);
}

/** The collector's process: its heartbeat, and whether any of its collectors works. */
export function collectorProcessHealth(snapshot: Snapshot, states: readonly ComponentHealth[]): ComponentHealth {
  const { collectors, heartbeatMs, heartbeatAgeMs } = snapshot;
  const details = { heartbeat: toRfc3339(heartbeatMs), collectors: collectors.length };
  if (waitsForCollector(snapshot)) {
    const message = 'waiting for the collector, which has stored nothing since the uploader started';
    return { status: 'degraded', reason: 'starting', message, details };
  }
  if (collectors.length === 0) {
    const message = `the collector has stored nothing yet; ${COLLECTOR_STATUS}`;
    return { status: 'error', reason: 'nothing_stored', message, details };
  }
  if (isHeartbeatLate(snapshot)) {
    const age = formatAge(heartbeatAgeMs);
    const lock = describeBlockingLock(snapshot, true);
    const message =
      lock === undefined ? `no heartbeat for ${age}; ${COLLECTOR_STATUS}` : `nothing stored for ${age}: ${lock}`;
    return { status: 'error', reason: lock === undefined ? 'no_heartbeat' : 'database_locked', message, details };
  }
  if (states.every(({ status }) => status !== 'ok'))
    return {
      status: 'error',
      reason: 'all_collectors_failing',
      message: `all collectors fail; ${COLLECTOR_LOG}`,
      details,
    };
  return { status: 'ok', message: 'collecting', details };
}
