import { expect, test } from '@jest/globals';

import { Liveness } from '../../../../uploader/src/delivery/liveness.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const MINUTE_MS = 60_000;

test('liveness: a wait that was announced counts as progress, however long, and a hang behind it does not', async () => {
  const clock = new FakeClock();
  const liveness = new Liveness(clock);
  liveness.progress(120 * MINUTE_MS);
  await clock.advance(150 * MINUTE_MS);
  expect(liveness.isLive).toBe(true);
  await clock.advance(1);
  expect(liveness.isLive).toBe(false);
});

test('liveness: behind a wait until a time the next step has to come within its slack', async () => {
  const clock = new FakeClock();
  const liveness = new Liveness(clock);
  liveness.waits(120 * MINUTE_MS, MINUTE_MS);
  await clock.advance(121 * MINUTE_MS);
  expect(liveness.isLive).toBe(true);
  await clock.advance(1);
  expect(liveness.isLive).toBe(false);
});
