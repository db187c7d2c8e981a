import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect, test } from '@jest/globals';

import { simulateFleet } from '../../support/fleet.mjs';

test('a thousand boards that come back after an hour’s outage never ask three times as often as they do on average', async () => {
  const { perSecond, mean, peak } = await simulateFleet();
  expect(perSecond).toHaveLength(60);
  // Every board has found the receiver and sent what it had: several requests each.
  expect(mean * 60).toBeGreaterThan(5_000);
  expect(peak).toBeLessThanOrEqual(3 * mean);
  const plot = readFileSync(join(import.meta.dirname, '../../../docs/fleet-return.svg'), 'utf8');
  expect(plot).toContain(`mean ${mean.toFixed(0)}, peak ${peak}`);
}, 120_000);
