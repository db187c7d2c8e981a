/** CLOCK_SKEW_POLICY: samples of a skewed clock are held, or stamped by the receiver's clock. */
export type ClockSkewPolicy = 'hold' | 'correct';

/** The row of the table `receiver_clock` for one boot: the uploader writes it, the collector reads it. */
export interface ReceiverClockRow {
  /** When this machine booted by the receiver's clock, Unix milliseconds. */
  readonly bootedAtMs: number;
  readonly policy: ClockSkewPolicy;
  /** By the receiver's clock, Unix milliseconds. */
  readonly measuredAtMs: number;
}
