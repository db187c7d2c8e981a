import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { expect, test } from '@jest/globals';

import type { simulateFleet } from '../../../support/fleet.ts';

type Fleet = Awaited<ReturnType<typeof simulateFleet>>;

const FLEET = pathToFileURL(join(import.meta.dirname, '../../../support/fleet.ts')).href;
const SIMULATE = `const { simulateFleet } = await import(process.argv[1]); console.log(JSON.stringify(await simulateFleet()));`;

test('fleet: a thousand devices never send more than three times their average rate of requests after an outage of an hour', async () => {
  // In a process of its own: a million waits take jest's sandbox twenty times as long.
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', SIMULATE, FLEET], {
    timeout: 110_000,
  });
  const { perSecond, mean, peak } = JSON.parse(stdout) as Fleet;
  expect(perSecond).toHaveLength(60);
  // Every device has found the receiver and sent what was pending: several requests each.
  expect(mean * 60).toBeGreaterThan(5_000);
  expect(peak).toBeLessThanOrEqual(3 * mean);
  const plot = readFileSync(join(import.meta.dirname, '../../../../docs/fleet-return.svg'), 'utf8');
  expect(plot).toContain(`mean ${mean.toFixed(0)}, peak ${peak}`);
}, 120_000);
