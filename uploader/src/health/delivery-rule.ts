import { formatTime } from '@thugshells/shared/state/stored-values.ts';
import type { LostSamples, VerificationState } from '@thugshells/shared/state/verification-state.ts';

import type { ComponentHealth } from './component-health.ts';
import { count as formatCount } from './formatting.ts';

/** Samples that were missing degrade the device for this long. */
const SHOWN_MS = 3_600_000;
const CHECK_RULES = 'check the retention and the relabeling rules of the receiver';
const CHECK_STORAGE = 'check the log and the storage of the receiver';

/**
 * Reports what verification in the background found; undefined while it is not configured. A receiver that cannot be
 * read is stated and degrades nothing: samples are delivered all the same.
 */
export function deliveryHealth(
  verification: VerificationState | undefined,
  nowMs: number,
): ComponentHealth | undefined {
  if (verification === undefined) return undefined;
  const { throughMs, missing, requeued, reverified, missingAgain, foreign, lastLost, failure } = verification;
  const through = throughMs === undefined ? undefined : formatTime(throughMs);
  const details = {
    verified_through: through,
    missing,
    requeued,
    reverified,
    missing_again: missingAgain,
    foreign,
    ...(failure === undefined ? {} : { failure }),
  };
  const verified = through === undefined ? 'nothing verified yet' : `verified through ${through}`;
  if (lastLost !== undefined && nowMs - lastLost.atMs <= SHOWN_MS)
    return {
      status: 'degraded',
      reason: 'missing_at_receiver',
      message: `${describe(lastLost)}; ${verified}`,
      details,
    };
  if (failure !== undefined) return { status: 'ok', message: `${verified}; ${failure}`, details };
  const others =
    foreign === 0
      ? ''
      : `; ${formatCount(foreign)} samples there are not in the database: check that no other device has its THUGSHELLS_DEVICE_ID`;
  return { status: 'ok', message: `${verified}${others}`, details };
}

function describe({ count, fromMs, toMs, outcome }: LostSamples): string {
  const [from, to] = [formatTime(fromMs), formatTime(toMs)];
  const lost = `${formatCount(count)} samples from ${from} to ${to} missing at the receiver`;
  if (outcome === 'requeued') return `${lost}, requeued; ${CHECK_STORAGE}`;
  if (outcome === 'missing again') return `${lost} after they were sent again; ${CHECK_RULES}`;
  return `${lost}; run: thugshells-uploader verify --from ${from} --to ${to} --requeue`;
}
