import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { BodyFormatName } from './encoding/formats/registry.ts';
import type { PendingRowsVersion } from './queue/pending-rows-version.ts';

/** One compressed body, which is sent and acknowledged as a whole. */
export interface Chunk {
  readonly body: Uint8Array;
  readonly format: BodyFormatName;
  /** Number of its samples. */
  readonly count: number;
  /** Ids of its samples in body order, the order in which a receiver counts them. */
  readonly ids: Float64Array;
  /** Its series in body order, each with the index of its first sample. */
  readonly series: readonly { readonly id: number; readonly start: number }[];
  /** The same ids as ranges; they may also hold ids of rows that do not exist. */
  readonly ranges: readonly IdRange[];
  /** The version at which its rows were read. */
  readonly pendingRowsVersion: PendingRowsVersion;
}
