import { expect, test } from '@jest/globals';

import { evaluateHealth } from '../../../../uploader/src/health/rules.ts';
import type { Snapshot } from '../../../../uploader/src/telemetry/snapshot.ts';
import { collectorRow, LIMITS, snapshot } from '../../../support/uploader/made-snapshot.ts';

const description = 'the database is locked by python3 (pid 4711)';
const END = 'end that program or its transaction';

/** Returns status and message of each component that is not ok. */
function problems(changes: Partial<Snapshot>): Record<string, string> {
  const { components } = evaluateHealth(snapshot(changes), LIMITS);
  return Object.fromEntries(
    Object.entries(components)
      .filter(([, { status }]) => status !== 'ok')
      .map(([name, { status, message }]) => [name, `${status}: ${message}`]),
  );
}

test('health rules: a lock for which the collector waits is named in place of missing scrapes', () => {
  const late = {
    collectors: [collectorRow('cpu', { lastScrapeAgeMs: 100_000 })],
    heartbeatAgeMs: 100_000,
    lock: { description, delaysAcknowledgements: false },
  };
  expect(problems(late)).toEqual({
    'collector.cpu': `degraded: not stored for 1 min 40 s: ${description}; ${END}`,
    collector: `error: nothing stored for 1 min 40 s: ${description}; ${END}`,
    storage: `error: samples are not stored: ${description}; ${END}`,
  });
});

test('health rules: a lock that nothing waits for longer than it should is none', () => {
  expect(problems({ heartbeatAgeMs: 6_000, lock: { description, delaysAcknowledgements: false } })).toEqual({});
});

test('health rules: a lock for which acknowledgements wait is named in place of a receiver to check', () => {
  const waiting = { lock: { description, delaysAcknowledgements: true }, lastDeliveryAgeMs: 3_600_000 };
  expect(problems({ ...waiting, oldestPendingMs: 1 })).toEqual({
    uploader: `degraded: uploads are not recorded: ${description}; ${END}`,
    storage: `error: samples are not stored: ${description}; ${END}`,
  });
});
