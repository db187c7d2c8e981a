import type { MetricFamily } from '@thugshells/shared/metrics/series.ts';
import type { RemoteProtocol } from '@thugshells/shared/metrics/series-limits.ts';

import type { NumericText } from '../rows/numeric-text.ts';
import type { SeriesRow } from '../rows/row-reader.ts';

/**
 * The metadata of a series. The object is the same for all heads of a series, and its family for all series of the family: so a
 * format knows what it has written already.
 */
export interface SeriesDescription {
  readonly family: MetricFamily;
}

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
  /** When the series of each sample began to count, Unix milliseconds; 0 or no array: it is not known. */
  readonly starts?: Float64Array | undefined;
}

/** Encodes and compresses the samples of chunks, one body after the other. */
export interface BodyFormat<Head = unknown> {
  /** Whether receivers of this format silently drop a sample that is not newer than the one before it in its series. */
  readonly keepsTimeOrder: boolean;
  /** Decides which limits hold, and which values there are. */
  readonly protocol: RemoteProtocol;
  /** Whether a body is to hold whole series of a batch, many of them: receivers of this format cost most by series and request. */
  readonly holdsWholeSeries: boolean;
  /** Whether bodies contain metadata, each once for as long as its description is the same object. */
  readonly hasMetadata: boolean;
  /** Whether bodies have the start of a series beside each of its samples. */
  readonly hasStarts: boolean;
  /** Encodes what all samples of a series have in common, or those with one text in a series of texts. */
  encodeHead(series: SeriesRow, text?: string, description?: SeriesDescription): Head;
  /** Appends samples of a series. */
  write(part: SeriesSegment<Head>, columns: BodyColumns): void;
  /** Returns the compressed body, in memory of its own, which may move to another thread; the next body begins empty. */
  finish(): Uint8Array;
}
