/** How DB_MAX_SIZE is divided; bytes. */
export interface SpaceLimits {
  /** All together. */
  readonly maxBytes: number;
  /** Size at which the WAL is moved into the database. */
  readonly walBytes: number;
  /** Most that the WAL may take: beyond it a reader keeps it from being emptied, and nothing more is written. */
  readonly walMaxBytes: number;
  readonly ballastBytes: number;
  /** Most that the database's file may take; SQLite itself refuses more. */
  readonly databaseBytes: number;
  /** What its rows may take before old ones are given up, so that there is always room for the next commit. */
  readonly usedBytes: number;
}

/** Released when the disk is full, so that acknowledgements and deletions still go through. */
export const BALLAST_BYTES = 1024 ** 2;
/** The WAL is at most this share of the whole. */
const WAL_SHARE = 1 / 8;
/** A commit may grow the WAL past its limit before anybody looks: by a share of that, and by what one commit can take. */
const WAL_OVERSHOOT_SHARE = 1 / 2;
const LARGEST_COMMIT_BYTES = 512 * 1024;
/** Free pages kept for the next commit: a share of the file, and at least some scrapes' worth. */
const SLACK_SHARE = 1 / 50;
const LEAST_SLACK_BYTES = 128 * 1024;

/** Divides `maxBytes` between database, WAL and ballast. */
export function spaceLimits({
  dbMaxBytes,
  walCheckpointBytes,
}: {
  readonly dbMaxBytes: number;
  readonly walCheckpointBytes: number;
}): SpaceLimits {
  const walBytes = Math.min(walCheckpointBytes, Math.floor(dbMaxBytes * WAL_SHARE));
  const walMaxBytes = walBytes + Math.max(Math.ceil(walBytes * WAL_OVERSHOOT_SHARE), LARGEST_COMMIT_BYTES);
  const databaseBytes = dbMaxBytes - BALLAST_BYTES - walMaxBytes;
  const slackBytes = Math.max(LEAST_SLACK_BYTES, databaseBytes * SLACK_SHARE);
  return {
    maxBytes: dbMaxBytes,
    walBytes,
    walMaxBytes,
    ballastBytes: BALLAST_BYTES,
    databaseBytes,
    usedBytes: databaseBytes - slackBytes,
  };
}
