import type { Trust } from '@thugshells/shared/state/epoch-trust.ts';

/** From some sample id on, corrected time = stored time + offset. */
export interface Epoch {
  readonly offsetMs: number;
  /** Stored time minus time since boot: with the offset, when this boot began by this epoch's clock. */
  readonly bootBaseMs: number;
  readonly trust: Trust;
  readonly reason: string;
}

/** An epoch of samples that are copied from another database, with all that is known of it. */
export interface ForeignEpoch {
  readonly offsetMs: number;
  readonly bootBaseMs: number | null;
  readonly trust: Trust;
  readonly bootId: string | null;
  /** Its boot ended before its clock could be corrected. */
  readonly isLost: boolean;
  readonly reason: string;
}

/** What the uploader found out about the receiver's clock in this boot. */
export interface KnownReceiverClock {
  /** When this boot began by the receiver's clock, Unix milliseconds. */
  readonly bootedAtMs: number;
  /** Whether samples are stamped by the receiver's clock (CLOCK_SKEW_POLICY=correct). */
  readonly isStamp: boolean;
}
