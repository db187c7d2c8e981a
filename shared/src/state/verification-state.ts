import { isCount, isObjectOf, isOneOf, isOptional, isText, isTime } from './stored-values.ts';

/** Delivered samples that the receiver did not return. */
export interface LostSamples {
  /** When that was found, Unix milliseconds. */
  readonly atMs: number;
  readonly count: number;
  /** Their first and their last time. */
  readonly fromMs: number;
  readonly toMs: number;
  /** missing again: they had been requeued before, and are not sent once more. */
  readonly outcome: 'requeued' | 'reported' | 'missing again';
}

/** What verification in the background came to; the counts are of the uploader's process since its start. */
export interface VerificationState {
  /** What was delivered with a time up to this one is compared, Unix milliseconds; undefined if nothing is. */
  readonly throughMs?: number | undefined;
  /** Samples that were delivered and not at the receiver. */
  readonly missing: number;
  readonly requeued: number;
  /** Requeued samples that were found at the receiver then. */
  readonly reverified: number;
  /** Requeued samples that were missing again. */
  readonly missingAgain: number;
  /** Samples of this device at the receiver that its database does not hold, by the last run. */
  readonly foreign: number;
  readonly lastLost?: LostSamples | undefined;
  /** Why the receiver cannot be read. */
  readonly failure?: string | undefined;
}

/** The state of a process that has just begun. */
export const NOTHING_VERIFIED: VerificationState = {
  missing: 0,
  requeued: 0,
  reverified: 0,
  missingAgain: 0,
  foreign: 0,
};

export const isVerificationState = isObjectOf<VerificationState>({
  throughMs: isOptional(isTime),
  missing: isCount,
  requeued: isCount,
  reverified: isCount,
  missingAgain: isCount,
  foreign: isCount,
  lastLost: isOptional(
    isObjectOf<LostSamples>({
      atMs: isTime,
      count: isCount,
      fromMs: isTime,
      toMs: isTime,
      outcome: isOneOf<LostSamples['outcome']>(['requeued', 'reported', 'missing again']),
    }),
  ),
  failure: isOptional(isText),
});
