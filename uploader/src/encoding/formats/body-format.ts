import type { SeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import type { NumericText } from '../rows/numeric-text.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Samples of one series that stand one after the other in a body. */
export interface SeriesSegment<Head> {
  /** What the format has made of the series, by headOf(). */
  readonly head: Head;
  /** The first one's place in the batch, and how many they are. */
  readonly first: number;
  readonly count: number;
}

/** The numbers of a batch, and for each sample which one follows it in its series. */
export interface BodyColumns {
  readonly values: NumericText;
  readonly timestamps: NumericText;
  readonly next: Int32Array;
}

/** How the samples of a chunk are written and compressed; it writes one body after the other. */
export interface BodyFormat<Head = unknown> {
  /** Whether a receiver of this format drops, without a word, a sample that is not newer than the one before it in its series. */
  readonly keepsTimeOrder: boolean;
  /** Of the receivers that take this format, where they drop what is beyond and do not say so. */
  readonly limits: SeriesLimits | undefined;
  /** What is the same for all samples of a series, or of one text of a series of texts. */
  headOf(series: SeriesRow, text?: string): Head;
  /** Appends samples of a series. */
  write(part: SeriesSegment<Head>, columns: BodyColumns): void;
  /** The compressed body, in memory of its own, which may move to another thread; the next one begins empty. */
  finish(): Uint8Array;
}
