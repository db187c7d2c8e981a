import { isAmount, isCount, isNullOr, isText, isTime, type StoredValues } from './stored-values.ts';

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

/** The row as SQLite returns it: each column may hold a value of any type. */
export type StoredStorageState = { readonly [Name in keyof StorageState]: unknown };

const NOT_WRITTEN: StoredStorageState = {
  flushIntervalMs: 0,
  maxBytes: null,
  walLimitBytes: null,
  walBlockedSinceMs: null,
  walCheckpointMs: null,
  walReclaimedBytes: 0,
  writtenPerDay: null,
  failure: null,
  failureSinceMs: null,
  bufferedSamples: 0,
};

/** Reads the row; what is unreadable is as the collector has it before it writes it. */
export function readStorageState(stored: StoredStorageState | undefined, values: StoredValues): StorageState {
  const row = stored ?? NOT_WRITTEN;
  const amount = (column: string, stored: unknown): number => values.read({ column }, stored, isAmount, 0);
  const amountOrNull = (column: string, stored: unknown): number | null =>
    values.read({ column }, stored, isNullOr(isAmount), null);
  const timeOrNull = (column: string, stored: unknown): number | null =>
    values.read({ column }, stored, isNullOr(isTime), null);
  return {
    flushIntervalMs: amount('flush_interval_ms', row.flushIntervalMs),
    maxBytes: amountOrNull('max_bytes', row.maxBytes),
    walLimitBytes: amountOrNull('wal_limit_bytes', row.walLimitBytes),
    walBlockedSinceMs: timeOrNull('wal_blocked_since', row.walBlockedSinceMs),
    walCheckpointMs: amountOrNull('wal_checkpoint_ms', row.walCheckpointMs),
    walReclaimedBytes: amount('wal_reclaimed_bytes', row.walReclaimedBytes),
    writtenPerDay: amountOrNull('written_per_day', row.writtenPerDay),
    // Something is written there only while samples are not stored.
    failure: values.read({ column: 'trouble' }, row.failure, isNullOr(isText), 'the stored cause cannot be read'),
    failureSinceMs: timeOrNull('trouble_since', row.failureSinceMs),
    bufferedSamples: values.read({ column: 'waiting' }, row.bufferedSamples, isCount, 0),
  };
}
