/** The row of the table `storage_state`: the collector's process writes it, the uploader's reads it. */
export interface StorageState {
  readonly flushIntervalMs: number;
  /** Maximum of database, WAL and ballast together; null until the collector has written it. */
  readonly maxBytes: number | null;
  /** The size at which a WAL checkpoint is due; null until the collector has written it. */
  readonly walLimitBytes: number | null;
  /** Since when a reader has kept WAL checkpoints from finishing, Unix milliseconds; null while none does. */
  readonly walBlockedSinceMs: number | null;
  /** Duration of the last WAL checkpoint; null before the first. */
  readonly walCheckpointMs: number | null;
  /** By which WAL checkpoints have made the WAL smaller, since the database was created. */
  readonly walReclaimedBytes: number;
  /** Bytes that the collector's process writes to the disk in a day; null while unknown. */
  readonly writtenPerDay: number | null;
  /** Why samples are buffered in memory and not stored; null while they are stored. */
  readonly failure: string | null;
  /** Unix milliseconds; null while there is no failure. */
  readonly failureSinceMs: number | null;
  /** Samples that are buffered in memory because of the failure. */
  readonly bufferedSamples: number;
}

/** A change of that row. */
export interface StorageStateUpdate extends StorageState {
  readonly maxBytes: number;
  readonly walLimitBytes: number;
  /** Null keeps what is stored. */
  readonly walCheckpointMs: number | null;
  /** Is added to what is stored. */
  readonly walReclaimedBytes: number;
  /** Bytes written to the disk since the last update: are added to what is stored. */
  readonly writtenBytes: number;
}
