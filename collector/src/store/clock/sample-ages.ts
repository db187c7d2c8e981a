/**
 * How old samples are at least, for retention. The wall clock of a device may be years off, in either direction, so it is
 * never asked by itself:
 *
 *   samples of this boot          the kernel counted since they were stored
 *   of a boot whose clock         their corrected time against the receiver's, if this boot's clock agrees with the
 *   agreed with the receiver's    receiver's too
 *   of any other boot             at least as old as this boot
 *
 * Nor is a sample ever older than stored time, which only grows, has grown since: a corrupt epoch makes no sample old.
 */
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';

import { MAX_SKEW_MS } from './epoch-transition.ts';

/** What is known of the clock of an epoch. */
export interface EpochClock {
  readonly offsetMs: number;
  readonly bootId: string | null;
  readonly bootBaseMs: number | null;
  readonly trust: Trust;
  /** When its boot began by the receiver's clock, if the epoch's clock agrees with that. */
  readonly agreedBootedAtMs: number | null;
}

/** The present. */
export interface Present {
  /** The kernel's id of this boot; null if it has none. */
  readonly bootId: string | null;
  readonly sinceBootMs: number;
  /** Stored time. */
  readonly storedMs: number;
  /** The receiver's time, Unix milliseconds, if this boot's clock agrees with it. */
  readonly trustedMs: number | undefined;
}

/** Samples with ids in a range are old if they were stored before a time. */
export interface AgeLimit {
  readonly firstId: number;
  readonly lastId: number;
  /** Stored time. */
  readonly beforeMs: number;
}

/** Returns the stored time before which samples of an epoch are certainly older than `ageMs`. */
export function findStoredBefore(epoch: EpochClock, present: Present, ageMs: number): number {
  return Math.min(findByClocks(epoch, present, ageMs), present.storedMs - ageMs);
}

function findByClocks(epoch: EpochClock, present: Present, ageMs: number): number {
  const { offsetMs, bootId, bootBaseMs, trust, agreedBootedAtMs } = epoch;
  const { sinceBootMs, trustedMs } = present;
  if (bootId === present.bootId && bootBaseMs !== null) return bootBaseMs + sinceBootMs - ageMs;
  if (trustedMs !== undefined) {
    if (agreedBootedAtMs !== null && bootBaseMs !== null) return trustedMs - ageMs - agreedBootedAtMs + bootBaseMs;
    // An epoch without a boot was written by a version that did not record it.
    if (trust === Trust.confirmed || (trust === Trust.faith && bootId === null)) return trustedMs - ageMs - offsetMs;
  }
  const isOfAnotherBoot = bootId !== null && bootId !== present.bootId;
  return isOfAnotherBoot && sinceBootMs >= ageMs ? Infinity : -Infinity;
}

/** Reads which stored samples are old. */
export class SampleAges {
  readonly #clocks: Statement<[], EpochClock & { readonly firstId: number }>;

  constructor(database: Database) {
    this.#clocks = database.prepare(
      `SELECT e.first_id AS firstId, e.offset_ms AS offsetMs, e.boot_id AS bootId, e.boot_base_ms AS bootBaseMs, e.trusted AS trust,
         CASE WHEN abs(e.offset_ms + e.boot_base_ms - r.booted_at_ms) <= ${MAX_SKEW_MS} THEN r.booted_at_ms END AS agreedBootedAtMs
       FROM epochs AS e LEFT JOIN receiver_clock AS r ON r.boot_id = e.boot_id ORDER BY e.first_id`,
    );
  }

  /** Returns for each epoch, ascending, the stored time before which its samples are older than `ageMs`. */
  findLimits(present: Present, ageMs: number): AgeLimit[] {
    const clocks = this.#clocks.all();
    return clocks.map((epoch, index) => ({
      firstId: epoch.firstId,
      lastId: (clocks[index + 1]?.firstId ?? Number.MAX_SAFE_INTEGER) - 1,
      beforeMs: findStoredBefore(epoch, present, ageMs),
    }));
  }
}
