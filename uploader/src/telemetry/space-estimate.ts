import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';

/** Bytes that a stored sample takes with its place in the index, as `npm run bench -- device-cost` measures them. */
const BYTES_PER_SAMPLE = 46;
/** The share of DB_MAX_SIZE that is left to rows beside the WAL, the ballast and the slack for the next commit. */
const ROWS_SHARE = 0.79;

export interface SpaceSources {
  readonly pending: number;
  readonly samplesPerSecond: number;
  readonly databaseBytes: number;
  /** Of DB_MAX_SIZE; null until the collector has written it. */
  readonly maxBytes: number | null;
  /** Free space of the file system; undefined if it is not known. */
  readonly freeBytes: number | undefined;
}

/**
 * Estimates for how many seconds the database can keep each new sample if none is delivered: delivered rows are deleted
 * first. Undefined while it is not known how much is collected.
 */
export function estimateSpaceSeconds(sources: SpaceSources): number | undefined {
  const { pending, samplesPerSecond, databaseBytes, maxBytes, freeBytes = Infinity } = sources;
  if (maxBytes === null || samplesPerSecond <= 0) return undefined;
  const rowsBytes = Math.min(maxBytes * ROWS_SHARE, databaseBytes + freeBytes);
  return Math.max(0, (rowsBytes / BYTES_PER_SAMPLE - pending) / samplesPerSecond);
}

/** Returns the free space of the file system that a file is on; undefined if the kernel does not report it. */
export function readFreeBytes(path: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(dirname(path));
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
