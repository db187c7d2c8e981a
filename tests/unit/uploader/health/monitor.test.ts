import { beforeEach, describe, expect, test } from '@jest/globals';

import { HealthMonitor } from '../../../../uploader/src/health/monitor.ts';
import { statusLine } from '../../../../uploader/src/health/status-text.ts';
import type { Snapshot, Snapshots } from '../../../../uploader/src/telemetry/snapshot.ts';
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

/** The time of a component at a moment at which a box looks so. */
function sinceAt(afterMs: number, name: string, changes: Partial<Snapshot> = {}): string {
  const nowMs = NOW + afterMs;
  const moved = { nowMs, oldestPendingMs: undefined };
  return monitor.evaluate(snapshot({ ...moved, ...changes })).components[name]!.since;
}

describe('a judgement', () => {
  test('is the state as a number, 0 to 2, and the age of the oldest pending sample', () => {
    expect(monitor.judgement(snapshot({ oldestPendingMs: undefined }))).toEqual({ health: 0, oldestPendingSeconds: 0 });
    const held = { held: { count: 3, reason: 'the clock is not right' }, oldestPendingMs: NOW - 90_000 };
    expect(monitor.judgement(snapshot(held))).toEqual({ health: 1, oldestPendingSeconds: 90 });
    expect(monitor.judgement(snapshot({ storage: { ...storage, failure: 'the disk is full' } })).health).toBe(2);
  });
});

describe('a report', () => {
  test('names the box, the program and the time, and each component since when it is so', () => {
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

  test('keeps the time at which a state began, until it changes', () => {
    const skewed = { skewMs: 60_000 };
    expect(sinceAt(0, 'time')).toBe('2023-11-14T22:13:20.000Z');
    expect(sinceAt(10_000, 'time')).toBe('2023-11-14T22:13:20.000Z');
    expect(sinceAt(20_000, 'time', skewed)).toBe('2023-11-14T22:13:40.000Z');
    expect(sinceAt(30_000, 'time', { skewMs: 90_000 })).toBe('2023-11-14T22:13:40.000Z');
    expect(sinceAt(40_000, 'time')).toBe('2023-11-14T22:14:00.000Z');
  });
});

describe('a change', () => {
  test('is logged once: to worse as a warning, back as information', () => {
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
    expect(log.lines[0]!.fields['reason']).toContain('60 s ahead');
  });

  test('is also what is not well at the first look', () => {
    sinceAt(0, 'storage', { walBytes: 1e9 });
    expect(log.lines.map(({ fields }) => [fields['component'], fields['from'], fields['to']])).toEqual([
      ['storage', 'unknown', 'degraded'],
    ]);
  });

  test('is none while all is well', () => {
    sinceAt(0, 'time');
    sinceAt(1_000, 'time');
    expect(log.lines).toEqual([]);
  });
});

test('the state in one line says the worst and how much waits', () => {
  expect(statusLine(monitor.status())).toMatch(/^ok: all components are ok; [\d,]+ samples pending$/);
});
