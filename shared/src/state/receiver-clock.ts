import { MAX_TIMESTAMP_MS } from '../metrics/sample.ts';

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

/**
 * Whether a value may be when a machine booted by a receiver's clock, Unix milliseconds: before 1970 if that clock was never
 * set, not beyond the year 9999. A row with another value is as good as none: the next measurement replaces it.
 */
export function isBootTime(value: unknown): value is number {
  return typeof value === 'number' && Math.abs(value) <= MAX_TIMESTAMP_MS;
}
