import type { SeriesLimits } from '@thugshells/shared/metrics/series-limits.ts';

import type { NumericText } from '../rows/numeric-text.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/** Samples of one series that stand one after the other in a body. */
export interface SeriesSegment<Head> {
  /** The encoded series, from encodeHead(). */
  readonly head: Head;
  /** The index of the first sample in the batch, and the number of samples. */
  readonly first: number;
  readonly count: number;
}

/** The numbers of a batch, and for each sample the index of the one that follows it in its series. */
export interface BodyColumns {
  readonly values: NumericText;
  readonly timestamps: NumericText;
  readonly next: Int32Array;
}

/** Encodes and compresses the samples of chunks, one body after the other. */
export interface BodyFormat<Head = unknown> {
  /** Whether receivers of this format silently drop a sample that is not newer than the one before it in its series. */
  readonly keepsTimeOrder: boolean;
  /** The limits beyond which receivers of this format drop samples silently; undefined if they respond with an error. */
  readonly limits: SeriesLimits | undefined;
  /** Encodes what all samples of a series have in common, or those with one text in a series of texts. */
  encodeHead(series: SeriesRow, text?: string): Head;
  /** Appends samples of a series. */
  write(part: SeriesSegment<Head>, columns: BodyColumns): void;
  /** Returns the compressed body, in memory of its own, which may move to another thread; the next body begins empty. */
  finish(): Uint8Array;
}
