// Longer than a test should be: each rule has its table of cases, below and above its limit.
import { describe, expect, test } from '@jest/globals';

import type { ReceiverCondition } from '../../../../uploader/src/delivery/receiver-state.ts';
import { worstStatus, type HealthStatus } from '../../../../uploader/src/health/component-health.ts';
import { evaluateHealth } from '../../../../uploader/src/health/rules.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import { recognizeResponse, withRemedy } from '../../../../uploader/src/transport/recognized-responses.ts';
import { collectorRow, toHistogram, LIMITS, NOW, snapshot, storage } from '../../../support/uploader/made-snapshot.ts';

const MINUTE_MS = 60_000;

/** Creates a snapshot with pending samples; the oldest one and the last upload are this old. */
function outage(
  pending: number,
  minutes: number,
  condition: ReceiverCondition = 'away',
  reason = 'HTTP 503',
): Partial<Snapshot> {
  return {
    books: { collected: 50_000, delivered: 50_000 - pending, pending, rejected: 0, dropped: 0 },
    oldestPendingMs: NOW - minutes * MINUTE_MS,
    receiver: {
      condition,
      reason,
      sinceMs: NOW - minutes * MINUTE_MS,
      lastDelivery: { atMs: NOW - minutes * MINUTE_MS, count: 1, bytesSent: 1 },
    },
    lastDeliveryAgeMs: minutes * MINUTE_MS,
    collectors: [
      collectorRow('cpu', { collected: 50_000, durations: toHistogram(...Array<number>(10_000).fill(0.002)) }),
    ],
  };
}

test('health rules: a device without problems is ok in each component', () => {
  const { status, components } = evaluateHealth(snapshot(), LIMITS);
  expect([status, Object.keys(components)]).toEqual([
    'ok',
    ['collector.cpu', 'collector.load', 'collector', 'uploader', 'storage', 'time'],
  ]);
  expect(new Set(Object.values(components).map((component) => component.status))).toEqual(new Set(['ok']));
});

describe('health rules: the collector', () => {
  const nothing = { collectors: [], heartbeatMs: 0 };
  const before = { heartbeatMs: NOW - 3_600_000, heartbeatAgeMs: 3_600_000 };
  const uploader = (seconds: number) => ({ uptimeSeconds: seconds, startedAtMs: NOW - seconds * 1_000 });
  test.each<[string, Partial<Snapshot>, HealthStatus]>([
    ['has stored nothing yet, 29 s after the start', { ...nothing, ...uploader(29) }, 'degraded'],
    ['has stored nothing yet, 30 s after the start', { ...nothing, ...uploader(30) }, 'error'],
    ['has not stored anything since a boot, 29 s after it', { ...before, ...uploader(29) }, 'degraded'],
    ['has not stored anything since a boot, 30 s after it', { ...before, ...uploader(30) }, 'error'],
    ['has stored nothing, and no uploader runs', { ...nothing, ...uploader(0), isRunning: false }, 'error'],
  ])('%s: %3$s', (_, changes, expected) => {
    const { components, isStarting } = evaluateHealth(snapshot(changes), LIMITS);
    expect([components['collector']!.status, isStarting]).toEqual([expected, expected === 'degraded']);
  });
});

test('health rules: the time without an upload is counted from the start, not from the last change of the failure', () => {
  const changes = outage(50, 10, 'away', 'HTTP 502');
  const { status, components } = evaluateHealth(
    snapshot({
      ...changes,
      receiver: { condition: 'away', reason: 'HTTP 502', sinceMs: NOW - 64_000, lastDelivery: undefined },
      lastDeliveryAgeMs: undefined,
      startedAtMs: NOW - 326_000,
      uptimeSeconds: 326,
    }),
    LIMITS,
  );
  expect([status, components['uploader']!.message]).toEqual([
    'degraded',
    expect.stringContaining('no upload for 5 min 26 s: HTTP 502'),
  ]);
});

describe('health rules: the status', () => {
  const cpu = (changes: Parameters<typeof collectorRow>[1]): Partial<Snapshot> => ({
    collectors: [collectorRow('cpu', changes), collectorRow('load')],
  });

  test.each<[string, Partial<Snapshot>, string, HealthStatus, string | RegExp]>([
    ['a collector is absent', cpu({ status: 'absent' }), 'collector.cpu', 'ok', 'not on this kernel'],
    [
      'a collector fails',
      cpu({ status: 'failing', message: 'EACCES' }),
      'collector.cpu',
      'degraded',
      'EACCES; run: journalctl -u thugshells-collector',
    ],
    ['a collector missed two scrapes', cpu({ lastScrapeAgeMs: 90_000 }), 'collector.cpu', 'ok', 'scraping'],
    [
      'a collector missed three scrapes',
      cpu({ lastScrapeAgeMs: 90_001 }),
      'collector.cpu',
      'degraded',
      'no scrape for 1 min 30 s',
    ],
    [
      'a collector has not ended its first scrape',
      cpu({ lastScrapeMs: 0, lastScrapeAgeMs: 90_000 }),
      'collector.cpu',
      'ok',
      'waiting for its first scrape',
    ],
    [
      'a collector has not ended its first scrape for three intervals',
      cpu({ lastScrapeMs: 0, lastScrapeAgeMs: 90_001 }),
      'collector.cpu',
      'degraded',
      'no scrape for 1 min 30 s; run: journalctl -u thugshells-collector',
    ],
    [
      'a fast collector is 5 s late',
      cpu({ intervalMs: 100, lastScrapeAgeMs: 5_000 }),
      'collector.cpu',
      'ok',
      'scraping',
    ],
    [
      'a fast collector is later',
      cpu({ intervalMs: 100, lastScrapeAgeMs: 5_100 }),
      'collector.cpu',
      'degraded',
      'no scrape for 5.1 s',
    ],
    [
      'scrapes wait for a flush of a minute',
      { ...cpu({ lastScrapeAgeMs: 150_000 }), storage: { ...storage, flushIntervalMs: 60_000 } },
      'collector.cpu',
      'ok',
      'scraping',
    ],
    [
      'the heartbeat waits for it',
      { heartbeatAgeMs: 150_000, storage: { ...storage, flushIntervalMs: 60_000 } },
      'collector',
      'ok',
      'collecting',
    ],
    ['the collector has stored nothing', { collectors: [] }, 'collector', 'error', 'stored nothing yet'],
    [
      'the collector has written no heartbeat for longer than three intervals',
      { heartbeatAgeMs: 90_001 },
      'collector',
      'error',
      'no heartbeat for 1 min 30 s; run: systemctl status thugshells-collector',
    ],
    ['the heartbeat is three intervals old', { heartbeatAgeMs: 90_000 }, 'collector', 'ok', 'collecting'],
    [
      'all collectors fail',
      { collectors: [collectorRow('cpu', { status: 'failing' })] },
      'collector',
      'error',
      'all collectors fail',
    ],
    [
      'there is nothing to upload',
      { ...outage(0, 0, 'taking', ''), oldestPendingMs: undefined },
      'uploader',
      'ok',
      'everything delivered',
    ],
    ['an upload failed just now', outage(10, 0.5), 'uploader', 'degraded', 'uploads fail: HTTP 503'],
    [
      'an upload failed by an internal error',
      outage(10, 0.5, 'fault', 'disk is full'),
      'uploader',
      'degraded',
      'uploads fail: disk is full',
    ],
    ['the last upload was two intervals ago', outage(10, 1, 'taking', ''), 'uploader', 'ok', 'uploading'],
    [
      'the last upload was longer ago',
      outage(10, 1.1, 'taking', ''),
      'uploader',
      'degraded',
      'no upload for 1 min 6 s',
    ],
    [
      'the uploader has just started after a long stop',
      { ...outage(10, 8, 'unknown', ''), uptimeSeconds: 60 },
      'uploader',
      'ok',
      'uploading',
    ],
    [
      'the uploader started two intervals ago and has delivered nothing',
      { ...outage(10, 8, 'unknown', ''), uptimeSeconds: 61 },
      'uploader',
      'degraded',
      'no upload for 8 min',
    ],
    [
      'the uploader does not run',
      { ...outage(10, 0.1, 'taking', ''), isRunning: false },
      'uploader',
      'degraded',
      'uploader not running',
    ],
    [
      'the uploader has not run for 11 minutes with a large backlog',
      { ...outage(10_001, 11, 'taking', ''), isRunning: false, uptimeSeconds: 0 },
      'uploader',
      'error',
      'no upload for 11 min',
    ],
    [
      'all pending rows are held',
      { ...outage(10, 60, 'taking', ''), held: { count: 10, reason: 'a clock' } },
      'uploader',
      'ok',
      'uploading',
    ],
    [
      'one of the pending rows is not held',
      { ...outage(10, 60, 'taking', ''), held: { count: 9, reason: 'a clock' } },
      'uploader',
      'degraded',
      'no upload for 1 h',
    ],
    ['5,000 samples are pending', outage(5_000, 0.5, 'taking', ''), 'uploader', 'degraded', '5,000 samples pending'],
    [
      '34,120 samples are being delivered and the speed is known',
      { ...outage(34_120, 0.5, 'taking', ''), drain: { done: 0.8, secondsLeft: 75 } },
      'uploader',
      'degraded',
      /^delivering a backlog of 34,120 samples, 1 min 15 s left; nothing to do$/,
    ],
    [
      'a backlog does not shrink',
      { ...outage(34_120, 0.5, 'taking', ''), drain: { done: 0, secondsLeft: undefined } },
      'uploader',
      'degraded',
      /^34,120 samples pending; if they increase, raise or unset THUGSHELLS_UPLOAD_MAX_RATE/,
    ],
    [
      'uploads of a backlog fail again while its speed is still known',
      { ...outage(34_120, 0.5, 'away', 'HTTP 503'), drain: { done: 0.8, secondsLeft: 75 } },
      'uploader',
      'degraded',
      /^34,120 samples pending: HTTP 503; if they increase, /,
    ],
    ['4,999 samples are pending', outage(4_999, 0.5, 'taking', ''), 'uploader', 'ok', 'uploading'],
    [
      '10,001 samples are pending but the receiver accepts them',
      outage(10_001, 0.5, 'taking', ''),
      'uploader',
      'degraded',
      'pending',
    ],
    [
      '10,000 have been pending for over 10 minutes',
      outage(10_000, 10.1),
      'uploader',
      'degraded',
      'no upload for 10 min 6 s: HTTP 503',
    ],
    [
      '10,001 have been pending for 10 minutes',
      outage(10_001, 10),
      'uploader',
      'degraded',
      'no upload for 10 min: HTTP 503',
    ],
    [
      '10,001 have been pending for longer',
      outage(10_001, 10.1),
      'uploader',
      'error',
      'no upload for 10 min 6 s: HTTP 503',
    ],
    [
      'the receiver rejects the token and says what to check',
      outage(1, 0, 'held', withRemedy('HTTP 401', recognizeResponse(401, ''))),
      'uploader',
      'error',
      /^receiver rejects uploads: HTTP 401; [^;]*; check THUGSHELLS_REMOTE_TOKEN_FILE \(with the package: [^;]*\), or [^;]*$/,
    ],
    [
      'the port speaks TLS, which says what to do',
      outage(10, 5, 'away', 'the port speaks TLS; use https:// in THUGSHELLS_REMOTE_URL'),
      'uploader',
      'degraded',
      /^no upload for 5 min: the port speaks TLS; use https:\/\/ in THUGSHELLS_REMOTE_URL$/,
    ],
    [
      'the receiver rejects everything for a reason that is not known',
      outage(1, 0, 'held', 'HTTP 410'),
      'uploader',
      'error',
      'receiver rejects uploads: HTTP 410; check THUGSHELLS_REMOTE_URL and THUGSHELLS_REMOTE_TOKEN_FILE',
    ],
    ['the WAL is at 64 MiB', { walBytes: 64 * 1024 ** 2 }, 'storage', 'ok', 'storing'],
    [
      'the WAL has grown beyond 64 MiB',
      { walBytes: 64 * 1024 ** 2 + 1 },
      'storage',
      'degraded',
      'WAL is 67 MB large; end the program',
    ],
    [
      'the WAL may be larger by configuration',
      { walBytes: 100 * 1024 ** 2, storage: { ...storage, walLimitBytes: 100 * 1024 ** 2 } },
      'storage',
      'ok',
      'storing',
    ],
    [
      'a reader has blocked WAL checkpoints for a minute',
      { storage: { ...storage, walBlockedSinceMs: snapshot().nowMs - 60_000 } },
      'storage',
      'ok',
      'storing',
    ],
    [
      'a reader has blocked WAL checkpoints for longer',
      { storage: { ...storage, walBlockedSinceMs: snapshot().nowMs - 60_001 } },
      'storage',
      'degraded',
      'a reader has blocked WAL checkpoints since',
    ],
    [
      'samples cannot be stored',
      { storage: { ...storage, failure: 'the disk is full', bufferedSamples: 7 } },
      'storage',
      'error',
      'the disk is full',
    ],
    [
      'samples were dropped in the last hour',
      { droppedInLastHour: 3 },
      'storage',
      'degraded',
      '3 samples dropped in the last hour',
    ],
    [
      'samples were rejected an hour ago',
      { rejectedAgeMs: 3_600_000 },
      'storage',
      'degraded',
      'samples rejected in the last hour, 0 in total; run: thugshells-uploader quarantine',
    ],
    [
      'samples were rejected that the receiver does not accept because of their age',
      { rejectedAgeMs: 0, tooOld: { acceptedAgeMs: 86_400_000, held: 0, rejected: 7 } },
      'storage',
      'degraded',
      'samples rejected in the last hour, 0 in total, 7 of them older than 1 d, which the receiver does not accept; run: thugshells-uploader quarantine',
    ],
    [
      'samples are held that the receiver does not accept because of their age',
      { tooOld: { acceptedAgeMs: 31 * 86_400_000, held: 3, rejected: 0 } },
      'uploader',
      'degraded',
      '3 samples held: older than 31 d, which the receiver does not accept; raise its -retentionPeriod and -maxBackfillAge, or set THUGSHELLS_TOO_OLD=reject',
    ],
    [
      'many samples are held for their age while the receiver is away',
      {
        ...outage(9_000, 0.5),
        tooOld: { acceptedAgeMs: 86_400_000, held: 8_000, rejected: 0 },
      },
      'uploader',
      'degraded',
      'uploads fail: HTTP 503; check THUGSHELLS_REMOTE_URL',
    ],
    [
      'the receiver accepts all that is pending',
      { tooOld: { acceptedAgeMs: 86_400_000, held: 0, rejected: 0 } },
      'uploader',
      'ok',
      'uploading',
    ],
    ['samples were rejected before that', { rejectedAgeMs: 3_600_001 }, 'storage', 'ok', 'storing'],
    [
      'rows are held',
      { held: { count: 42, reason: 'the clock was before the build date of this program' } },
      'time',
      'degraded',
      '42 samples held: the clock was before',
    ],
    ['the clock was not compared yet', { skewMs: undefined }, 'time', 'ok', 'clock not compared'],
    ['the clock is 2 s ahead', { skewMs: 2_000 }, 'time', 'ok', 'agrees'],
    ['the clock is further ahead', { skewMs: 2_001 }, 'time', 'degraded', '2.0 s ahead of the receiver'],
    ['the clock is behind', { skewMs: -90_000 }, 'time', 'degraded', '1 min 30 s behind the receiver'],
  ])('when %s', (_, changes, ...[name, status, message]) => {
    const { components, status: whole } = evaluateHealth(snapshot(changes), LIMITS);
    const matching = typeof message === 'string' ? expect.stringContaining(message) : expect.stringMatching(message);
    expect([components[name]!.status, components[name]!.message]).toEqual([status, matching]);
    expect(whole).toBe(worstStatus(Object.values(components).map((component) => component.status)));
    expect(worstStatus([whole, status])).toBe(whole);
  });

  test('is degraded by an unknown variable', () => {
    const { status, components } = evaluateHealth(snapshot(), LIMITS, {
      warnings: ['THUGSHELLS_DB_PTH is unknown', 'THUGSHELLS_X is unknown'],
      notices: ['a name of many'],
    });
    expect([status, components['configuration']!.message]).toEqual([
      'degraded',
      'THUGSHELLS_DB_PTH is unknown; THUGSHELLS_X is unknown; a name of many',
    ]);
  });

  test('is not degraded by a name that many devices have, which it tells', () => {
    const { status, components } = evaluateHealth(snapshot(), LIMITS, { notices: ['a name of many'] });
    expect([status, components['configuration']]).toEqual([
      'ok',
      { status: 'ok', message: 'a name of many', details: {} },
    ]);
    expect(evaluateHealth(snapshot(), LIMITS).components).not.toHaveProperty('configuration');
  });
});

describe('health rules: the limits of pending samples', () => {
  test('are at least the samples of three upload intervals, so that a device with many series is not degraded', () => {
    // 300 samples a scrape, a scrape a second, an upload every 30 s: 27,000 samples in three intervals.
    const durations = toHistogram(...Array<number>(100).fill(0.002));
    const collectors = [collectorRow('scrape', { intervalMs: 1_000, collected: 30_000, durations })];
    const books = { collected: 30_000, delivered: 3_001, pending: 26_999, rejected: 0, dropped: 0 };
    const uploader = (pending: number): HealthStatus =>
      evaluateHealth(snapshot({ collectors, books: { ...books, pending } }), LIMITS).components['uploader']!.status;
    expect([uploader(26_999), uploader(27_000)]).toEqual(['ok', 'degraded']);
  });

  test('do not count time in which nothing was pending', () => {
    const idle = { ...outage(10, 600, 'taking', ''), oldestPendingMs: NOW - 1_000 };
    expect(evaluateHealth(snapshot(idle), LIMITS).components['uploader']!.status).toBe('ok');
  });
});

describe('health rules: two problems', () => {
  const rules: Record<string, [Partial<Snapshot>, HealthStatus]> = {
    failing: [
      { collectors: [collectorRow('cpu', { status: 'failing', message: 'EACCES' }), collectorRow('load')] },
      'degraded',
    ],
    away: [outage(10, 0.5), 'degraded'],
    held: [outage(10, 0.5, 'held', 'HTTP 401'), 'error'],
    full: [{ storage: { ...storage, failure: 'the disk is full' } }, 'error'],
    dropped: [{ droppedInLastHour: 1 }, 'degraded'],
    skewed: [{ skewMs: 60_000 }, 'degraded'],
    gone: [{ heartbeatAgeMs: 1e9 }, 'error'],
    fine: [{}, 'ok'],
  };
  const names = Object.keys(rules);
  const areApart = (a: string, b: string): boolean => !Object.keys(rules[a]![0]).some((key) => key in rules[b]![0]);
  const pairs = names.flatMap((a, index) =>
    names
      .slice(index + 1)
      .filter((b) => areApart(a, b))
      .map((b): [string, string] => [a, b]),
  );

  test.each(pairs)('give the device the worse status of %s and %s', (a, b) => {
    const [[first, one], [second, other]] = [rules[a]!, rules[b]!];
    expect(evaluateHealth(snapshot({ ...first, ...second }), LIMITS).status).toBe(worstStatus([one, other]));
  });
});

describe('health rules: the details', () => {
  test('have the age of the oldest pending sample and the last upload', () => {
    expect(evaluateHealth(snapshot(), LIMITS).components['uploader']!.details).toMatchObject({
      pending: 10,
      oldest_pending: '2023-11-14T22:13:00.000Z',
      oldest_pending_age_seconds: 20,
      last_upload: '2023-11-14T22:13:00.000Z',
      last_upload_samples: 5,
      last_upload_bytes: 90,
    });
  });

  test('have the books', () => {
    expect(evaluateHealth(snapshot(), LIMITS).components['storage']!.details).toEqual({
      ...{ collected: 200, delivered: 190, pending: 10, rejected: 0, dropped: 0 },
      ...{
        database_bytes: 1_024,
        wal_bytes: 2_048,
        max_bytes: 512 * 1024 ** 2,
        waiting_in_memory: 0,
        dropped_in_last_hour: 0,
      },
    });
  });

  test('omit a time that is 0', () => {
    const { details } = evaluateHealth(snapshot({ heartbeatMs: 0 }), LIMITS).components['collector']!;
    expect(details['heartbeat']).toBeUndefined();
  });
});

test('worstStatus: returns the most severe status; ok for none', () => {
  expect([worstStatus([]), worstStatus(['ok', 'degraded', 'ok']), worstStatus(['degraded', 'error', 'ok'])]).toEqual([
    'ok',
    'degraded',
    'error',
  ]);
});

describe('health rules: a database that is set aside', () => {
  const file = {
    file: 'metrics.db.schema-99',
    schemaVersion: 99,
    bytes: 4_096,
    isBeingImported: false,
    isImportedHere: false,
  };
  const taking = { file: 'metrics.db.schema-5.taking-over', schemaVersion: 5, bytes: 1_024, isBeingImported: true };
  const healthWith = (setAside: Snapshot['setAside']): ReturnType<typeof evaluateHealth> =>
    evaluateHealth(snapshot({ setAside }), LIMITS);

  test('is reported with its schema version, its size and what to do, and degrades the device', () => {
    const { status, components } = healthWith([file]);
    expect([status, components['database']!.status]).toEqual(['degraded', 'degraded']);
    expect(components['database']!.message).toBe(
      'metrics.db.schema-99 (schema 99, 4096 bytes) is set aside: install a version that knows schema 99, or move the file away to discard its samples',
    );
    expect(components['database']!.details).toEqual({
      set_aside_bytes: 4_096,
      set_aside: [{ file: file.file, schema_version: 99, bytes: 4_096 }],
    });
    expect(components['storage']!.details['set_aside_bytes']).toBe(4_096);
    expect(healthWith([]).components['database']).toBeUndefined();
  });

  test.each<[string, Snapshot['setAside'][number], string]>([
    ['that this program knows', { ...file, schemaVersion: 5 }, 'restart the collector'],
    ['that is being imported', { ...taking, isImportedHere: true }, 'is being imported'],
    [
      'that another database began to take over',
      { ...taking, isImportedHere: false },
      'install the version that began to import it',
    ],
  ])('%s has a remedy of its own', (_, each, remedy) => {
    expect(healthWith([each]).components['database']!.message).toContain(remedy);
  });
});

test('health rules: work on a timer that fails degrades the uploader, with its reason', () => {
  const taskFailures = [{ message: 'cannot store the uploader report', reason: 'disk I/O error' }];
  expect(evaluateHealth(snapshot({ taskFailures }), LIMITS).components['uploader']).toMatchObject({
    status: 'degraded',
    message: 'cannot store the uploader report: disk I/O error; run: journalctl -u thugshells-uploader',
  });
});

test('health rules: of uploads that this device itself keeps from going on, the log is to be read, not the receiver checked', () => {
  const { components } = evaluateHealth(snapshot(outage(100, 5, 'fault', 'Error: disk I/O error')), LIMITS);
  expect(components['uploader']?.message).toBe(
    'no upload for 5 min: Error: disk I/O error; run: journalctl -u thugshells-uploader',
  );
});
