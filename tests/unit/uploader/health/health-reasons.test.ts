import { describe, expect, test } from '@jest/globals';

import { NOTHING_VERIFIED } from '@thugshells/shared/state/verification-state.ts';

import { listUnhealthy } from '../../../../uploader/src/health/component-health.ts';
import type { ConfigurationFindings } from '../../../../uploader/src/health/configuration-rule.ts';
import { evaluateHealth } from '../../../../uploader/src/health/rules.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import { collectorRow, LIMITS, NOW, snapshot, storage } from '../../../support/uploader/made-snapshot.ts';

const receiver = snapshot().receiver;
const late = { lastScrapeAgeMs: 600_000 };
const lost = { count: 5, fromMs: NOW, toMs: NOW, atMs: NOW, outcome: 'requeued' as const };
const lock = { description: 'the database is locked by python3 (pid 4711)', delaysAcknowledgements: true };
const manyPending = { collected: 9_999, delivered: 0, pending: 9_999, rejected: 0, dropped: 0 };
const newer = {
  file: 'metrics.db.schema-99',
  schemaVersion: 99,
  bytes: 1,
  isBeingImported: false,
  isImportedHere: false,
};

/** Returns component and reason of each component that is not ok. */
function findReasons(changes: Partial<Snapshot>, findings: ConfigurationFindings = {}): string[] {
  const { components } = evaluateHealth(snapshot(changes), LIMITS, findings);
  return listUnhealthy(components).map(({ component, reason }) => `${component} ${reason}`);
}

describe('health reasons:', () => {
  test.each<[string, Partial<Snapshot>]>([
    ['collector.cpu scrape_overdue', { collectors: [collectorRow('cpu', late), collectorRow('load')] }],
    [
      'collector.cpu scrape_failing',
      { collectors: [collectorRow('cpu', { status: 'failing' }), collectorRow('load')] },
    ],
    ['collector all_collectors_failing', { collectors: [collectorRow('cpu', { status: 'failing' })] }],
    ['collector no_heartbeat', { heartbeatAgeMs: 600_000 }],
    ['collector nothing_stored', { collectors: [] }],
    ['collector starting', { collectors: [], heartbeatMs: 0, startedAtMs: NOW, uptimeSeconds: 1 }],
    ['uploader refused_by_receiver', { receiver: { ...receiver, condition: 'held' } }],
    ['uploader no_upload', { lastDeliveryAgeMs: 600_000, oldestPendingMs: NOW - 600_000 }],
    ['uploader not_running', { isRunning: false }],
    ['uploader backlog', { books: manyPending }],
    ['uploader upload_failing', { receiver: { ...receiver, condition: 'away' } }],
    ['uploader internal_error', { receiver: { ...receiver, condition: 'fault' } }],
    ['uploader internal_error', { taskFailures: [{ message: 'cannot store the report', reason: 'disk I/O error' }] }],
    ['uploader samples_too_old', { tooOld: { acceptedAgeMs: 86_400_000, held: 3, rejected: 0 } }],
    ['delivery missing_at_receiver', { verification: { ...NOTHING_VERIFIED, lastLost: lost } }],
    ['storage write_failing', { storage: { ...storage, failure: 'the disk is full' } }],
    ['storage wal_too_large', { walBytes: 1e9 }],
    ['storage wal_checkpoints_blocked', { storage: { ...storage, walBlockedSinceMs: NOW - 600_000 } }],
    ['storage samples_dropped', { droppedInLastHour: 1 }],
    ['storage samples_rejected', { rejectedAgeMs: 0 }],
    ['database database_set_aside', { setAside: [newer] }],
    ['time samples_held', { held: { count: 3, reason: 'a clock' } }],
    ['time clock_skewed', { skewMs: 60_000 }],
  ])('%s', (expected, changes) => expect(findReasons(changes)).toEqual([expected]));

  test('configuration unknown_variable', () =>
    expect(findReasons({}, { warnings: ['THUGSHELLS_INTERWAL is unknown'] })).toEqual([
      'configuration unknown_variable',
    ]));

  test('name a lock of the database in each component that it keeps from its work', () =>
    expect(findReasons({ lock, collectors: [collectorRow('cpu', late), collectorRow('load')] })).toEqual([
      'collector.cpu database_locked',
      'uploader database_locked',
      'storage database_locked',
    ]));

  test('there are none of collectors while their process is in error, and none of a device that is ok', () => {
    const collectors = [collectorRow('cpu', late), collectorRow('load', late)];
    expect(findReasons({ collectors, heartbeatAgeMs: 600_000 })).toEqual(['collector no_heartbeat']);
    expect(findReasons({})).toEqual([]);
  });
});
