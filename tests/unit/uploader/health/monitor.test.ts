import { beforeEach, describe, expect, test } from '@jest/globals';

import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { statusLine } from '../../../../uploader/src/health/status-text.ts';
import type { Snapshot, Snapshots } from '../../../../uploader/src/telemetry/snapshot.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { LIMITS, NOW, snapshot, storage } from '../../../support/uploader/made-snapshot.ts';

let log: LogRecord;
let monitor: HealthMonitor;

beforeEach(() => {
  log = new LogRecord();
  const snapshots: Pick<Snapshots, 'take'> = { take: () => snapshot() };
  monitor = new HealthMonitor({
    logger: log,
    snapshots,
    limits: LIMITS,
    version: '1.2.3',
    deviceId: 'board-1',
    configurationWarnings: [],
  });
});

/** Returns since when a component has its status, for a snapshot with these changes. */
function sinceAt(afterMs: number, name: string, changes: Partial<Snapshot> = {}): string {
  const nowMs = NOW + afterMs;
  const moved = { nowMs, oldestPendingMs: undefined };
  return monitor.evaluate(snapshot({ ...moved, ...changes })).components[name]!.since;
}

describe('health monitor: the judgement', () => {
  test('has the status as a number, 0 to 2, what is not ok, and the age of the oldest pending sample', () => {
    expect(monitor.judgement(snapshot({ oldestPendingMs: undefined }))).toEqual({
      health: 0,
      unhealthy: [],
      oldestPendingSeconds: 0,
    });
    const held = { held: { count: 3, reason: 'the clock is not right' }, oldestPendingMs: NOW - 90_000 };
    expect(monitor.judgement(snapshot(held))).toEqual({
      health: 1,
      unhealthy: [{ component: 'time', reason: 'samples_held', health: 1 }],
      oldestPendingSeconds: 90,
    });
    expect(monitor.judgement(snapshot({ storage: { ...storage, failure: 'the disk is full' } })).health).toBe(2);
  });
});

describe('health monitor: the report', () => {
  test('has the device, the version and the time, and the time of each component’s last change', () => {
    const report = monitor.report();
    expect({ ...report, components: Object.keys(report.components) }).toEqual({
      status: 'ok',
      timestamp: '2023-11-14T22:13:20.000Z',
      version: '1.2.3',
      uptime_seconds: 3_600,
      device_id: 'board-1',
      components: ['collector.cpu', 'collector.load', 'collector', 'uploader', 'storage', 'time'],
    });
    expect(report.components['time']).toEqual({
      status: 'ok',
      message: 'clock agrees with the receiver',
      details: { skew_ms: 12, skew_error_ms: 180 },
      since: '2023-11-14T22:13:20.000Z',
    });
  });

  test('keeps the time of the last change until the status changes', () => {
    const skewed = { skewMs: 60_000 };
    expect(sinceAt(0, 'time')).toBe('2023-11-14T22:13:20.000Z');
    expect(sinceAt(10_000, 'time')).toBe('2023-11-14T22:13:20.000Z');
    expect(sinceAt(20_000, 'time', skewed)).toBe('2023-11-14T22:13:40.000Z');
    expect(sinceAt(30_000, 'time', { skewMs: 90_000 })).toBe('2023-11-14T22:13:40.000Z');
    expect(sinceAt(40_000, 'time')).toBe('2023-11-14T22:14:00.000Z');
  });
});

describe('health monitor: a change of status', () => {
  test('is logged once: a worse status as a warning, ok as information', () => {
    for (const skewMs of [0, 60_000, 61_000, 0, 0]) sinceAt(0, 'time', { skewMs });
    expect(
      log.lines.map(({ level, message, fields }) => [
        level,
        message,
        fields['component'],
        fields['from'],
        fields['to'],
      ]),
    ).toEqual([
      ['warn', 'health changed', 'time', 'ok', 'degraded'],
      ['info', 'health changed', 'time', 'degraded', 'ok'],
    ]);
    expect(log.lines[0]!.fields['reason']).toContain('1 min ahead');
  });

  test('is logged for the first report if the status is not ok', () => {
    sinceAt(0, 'storage', { walBytes: 1e9 });
    expect(log.lines.map(({ fields }) => [fields['component'], fields['from'], fields['to']])).toEqual([
      ['storage', 'unknown', 'degraded'],
    ]);
  });

  test('is not logged while the programs start; what is still wrong then is', () => {
    const starting = {
      ...{ collectors: [], heartbeatMs: 0, startedAtMs: NOW - 4_000, uptimeSeconds: 4 },
      walBytes: 1e9,
    };
    const since = sinceAt(0, 'storage', starting);
    expect([monitor.evaluate(snapshot(starting)).starting, log.lines]).toEqual([true, []]);
    expect(sinceAt(60_000, 'storage', { walBytes: 1e9 })).toBe(since);
    expect(log.lines.map(({ level, fields }) => [level, fields['component'], fields['from'], fields['to']])).toEqual([
      ['warn', 'storage', 'unknown', 'degraded'],
    ]);
  });

  test('is not logged for a first report that is ok', () => {
    sinceAt(0, 'time');
    sinceAt(1_000, 'time');
    expect(log.lines).toEqual([]);
  });
});

test('status line: has the status, the reason and the number of pending samples', () => {
  expect(statusLine(monitor.status())).toMatch(/^ok: all components are ok; [\d,]+ samples pending$/);
});

test('health monitor: the report of a database that cannot be read has an error of the storage, and since when', () => {
  const clock = new FakeClock();
  const options = { logger: log, limits: LIMITS, version: '1.2.3', deviceId: 'board-1', configurationWarnings: [] };
  monitor = new HealthMonitor({ ...options, clock, snapshots: { take: () => snapshot() } });
  const first = monitor.unreadableReport();
  clock.step(60_000);
  expect([first.timestamp, monitor.unreadableReport()]).toEqual([
    '2023-11-14T22:13:20.000Z',
    {
      status: 'error',
      timestamp: '2023-11-14T22:14:20.000Z',
      version: '1.2.3',
      uptime_seconds: 0,
      device_id: 'board-1',
      components: {
        storage: {
          status: 'error',
          reason: 'database_unreadable',
          message: 'cannot read the database; run: journalctl -u thugshells-uploader',
          details: {},
          since: first.timestamp,
        },
      },
    },
  ]);
  monitor.report();
  expect(monitor.unreadableReport().components['storage']?.since).toBe('2023-11-14T22:14:20.000Z');
});
