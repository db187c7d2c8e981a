import type { Database } from '@thugshells/shared/database/open.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';

import type { DeliveredRows } from '../queue/delivered-rows.ts';
import type { TimeSlice } from '../queue/rows-by-time.ts';
import type { VerifiedRanges } from '../queue/verified-ranges.ts';
import type { ReceiverSamples } from './receiver-samples.ts';

export interface ReceiverTotalCheckOptions {
  readonly logger: Logger;
  readonly database: Database;
  readonly rows: DeliveredRows;
  readonly verified: VerifiedRanges;
  readonly receiver: ReceiverSamples;
  /** The current time by the receiver's clock, Unix milliseconds. */
  readonly now: () => number;
}

/** What a receiver of a known retention will delete by itself until the next run is left out of the total. */
const MARGIN_MS = 86_400_000;

/** Compares how many samples the receiver has of this device with how many it had, by one number. */
export class ReceiverTotalCheck {
  readonly #options: ReceiverTotalCheckOptions;

  constructor(options: ReceiverTotalCheckOptions) {
    this.#options = options;
  }

  /** Forgets what was judged if the receiver has fewer samples in the same range than it had. */
  async compare(retentionMs = Infinity, stop: AbortSignal): Promise<void> {
    const { database, logger, verified, now } = this.#options;
    const before = verified.readTotal();
    if (before === undefined || before.slice.afterMs < now() - retentionMs) return;
    const samples = await this.#count(before.slice, stop);
    if (samples === undefined || samples >= before.samples) return;
    database.transaction(() => verified.forgetJudged()).immediate();
    logger.warn('fewer samples at receiver, verifying anew', { count: samples, before: before.samples });
  }

  /** Saves how many there are up to a time, for the next run. */
  async renew(throughMs: number | undefined, retentionMs = Infinity, stop: AbortSignal): Promise<void> {
    const { database, rows, verified, now } = this.#options;
    const stored = throughMs === undefined ? undefined : rows.findStored({ afterMs: 0, throughMs });
    if (stored === undefined) return;
    const keptAfterMs = now() - retentionMs + Math.min(MARGIN_MS, retentionMs / 2);
    const slice: TimeSlice = { ...stored, afterMs: Math.max(stored.afterMs, keptAfterMs) };
    if (slice.afterMs >= slice.throughMs) return;
    const samples = await this.#count(slice, stop);
    if (samples === undefined) return;
    database.transaction(() => verified.saveTotal({ slice, samples })).immediate();
  }

  #count(slice: TimeSlice, stop: AbortSignal): Promise<number | undefined> {
    const { receiver, rows } = this.#options;
    return receiver.countAll(slice, rows.listDeviceIds(), stop);
  }
}
