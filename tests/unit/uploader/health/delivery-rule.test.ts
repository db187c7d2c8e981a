import { describe, expect, test } from '@jest/globals';
import { NOTHING_VERIFIED, type LostSamples } from '@thugshells/shared/state/verification-state.ts';

import { deliveryHealth } from '../../../../uploader/src/health/delivery-rule.ts';
import { evaluateHealth } from '../../../../uploader/src/health/rules.ts';
import { LIMITS, NOW, snapshot } from '../../../support/uploader/made-snapshot.ts';

const verified = { ...NOTHING_VERIFIED, throughMs: NOW - 60_000 };
const lost = (outcome: LostSamples['outcome'], agoMs = 0): LostSamples => ({
  atMs: NOW - agoMs,
  count: 5,
  fromMs: NOW - 90_000,
  toMs: NOW - 80_000,
  outcome,
});

describe('delivery health', () => {
  test('is a component only where deliveries are verified', () => {
    expect(Object.keys(evaluateHealth(snapshot(), LIMITS).components)).not.toContain('delivery');
    const { components } = evaluateHealth(snapshot({ verification: verified }), LIMITS);
    expect(components['delivery']).toMatchObject({
      status: 'ok',
      message: 'verified through 2023-11-14T22:12:20.000Z',
      details: { verified_through: '2023-11-14T22:12:20.000Z', missing: 0, requeued: 0 },
    });
  });

  test.each([
    ['requeued', /^5 samples from .* missing at the receiver, requeued; check the log/],
    ['missing again', /after they were sent again; check the retention and the relabeling/],
    ['reported', /verify --from 2023-11-14T22:11:50.000Z --to 2023-11-14T22:12:00.000Z --requeue/],
  ] as const)('is degraded for an hour by samples that are %s', (outcome, message) => {
    const shown = deliveryHealth({ ...verified, lastLost: lost(outcome) }, NOW);
    expect(shown).toMatchObject({ status: 'degraded', message: expect.stringMatching(message) });
    expect(deliveryHealth({ ...verified, lastLost: lost(outcome, 3_600_001) }, NOW)?.status).toBe('ok');
  });

  test('is not degraded by a receiver that cannot be read, or by samples of somebody else: both are stated', () => {
    expect(deliveryHealth({ ...NOTHING_VERIFIED, failure: 'HTTP 401' }, NOW)).toMatchObject({
      status: 'ok',
      message: 'nothing verified yet; HTTP 401',
    });
    expect(deliveryHealth({ ...verified, foreign: 3 }, NOW)).toMatchObject({
      status: 'ok',
      message: expect.stringContaining('THUGSHELLS_DEVICE_ID'),
    });
  });
});
