/** How DB_MAX_SIZE is divided; bytes. */
export interface SpaceLimits {
  /** Maximum of database, WAL and ballast together. */
  readonly maxBytes: number;
  /** Size at which a WAL checkpoint is due. */
  readonly walBytes: number;
  /** Maximum of the WAL: if a reader keeps it from being emptied, nothing more is written beyond this. */
  readonly walMaxBytes: number;
  readonly ballastBytes: number;
  /** Maximum of the database file, which SQLite itself enforces. */
  readonly databaseBytes: number;
  /** Maximum of its used pages before rows are evicted, so that there is always space for the next commit. */
  readonly usedBytes: number;
}

/** Released when the disk is full, so that acknowledgements and deletions still go through. */
export const BALLAST_BYTES = 1024 ** 2;
/** The WAL is at most this share of the whole. */
const WAL_SHARE = 1 / 8;
/** How far commits may grow the WAL beyond its limit before that is checked: this share, and at least one commit. */
const WAL_OVERSHOOT_SHARE = 1 / 2;
const MAX_COMMIT_BYTES = 512 * 1024;
/** Free pages kept for the next commit: a share of the file, and at least some scrapes' worth. */
const SLACK_SHARE = 1 / 50;
const MIN_SLACK_BYTES = 128 * 1024;

/** Divides `maxBytes` between database, WAL and ballast. */
export function divideSpace({
  dbMaxBytes,
  walCheckpointBytes,
}: {
  readonly dbMaxBytes: number;
  readonly walCheckpointBytes: number;
}): SpaceLimits {
  const walBytes = Math.min(walCheckpointBytes, Math.floor(dbMaxBytes * WAL_SHARE));
  const walMaxBytes = walBytes + Math.max(Math.ceil(walBytes * WAL_OVERSHOOT_SHARE), MAX_COMMIT_BYTES);
  const databaseBytes = dbMaxBytes - BALLAST_BYTES - walMaxBytes;
  const slackBytes = Math.max(MIN_SLACK_BYTES, databaseBytes * SLACK_SHARE);
  return {
    maxBytes: dbMaxBytes,
    walBytes,
    walMaxBytes,
    ballastBytes: BALLAST_BYTES,
    databaseBytes,
    usedBytes: databaseBytes - slackBytes,
  };
}
