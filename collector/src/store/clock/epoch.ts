/**
 * How far an epoch's clock is trusted, as `epochs.trusted` holds it.
 *
 *   no          it stands before the program's build, or more than a day from the receiver's clock
 *   faith       it may be right; no receiver has been asked
 *   confirmed   it agreed with the receiver's clock while the epoch lasted
 */
export const Trust = { no: 0, faith: 1, confirmed: 2 } as const;
export type Trust = (typeof Trust)[keyof typeof Trust];

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
export interface ReceiverClock {
  /** When this boot began by the receiver's clock, Unix milliseconds. */
  readonly bootedAtMs: number;
  /** Whether samples are stamped by the receiver's clock (CLOCK_SKEW_POLICY=correct). */
  readonly isStamp: boolean;
}
