import { existsSync, renameSync, rmSync, statSync } from 'node:fs';

/** The files that SQLite keeps beside a database in WAL mode. */
const SIDE_FILES = ['-wal', '-shm'] as const;

/**
 * Renames a database. The file itself goes first: a program that opens the old name meanwhile finds nothing, never the
 * file without its WAL. A program that has it open goes on with the files that it has; SQLite notices that they were moved
 * and leaves the WAL in place when it closes them.
 */
export function moveDatabase(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
  finishInterruptedMove(from, to);
}

/** Finishes a moveDatabase() that a kill has interrupted; only for a move that is known to have begun. */
export function finishInterruptedMove(from: string, to: string): void {
  if (existsSync(from) || !existsSync(to)) return;
  for (const suffix of SIDE_FILES) if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
}

/** Removes a database with its WAL and shared memory. */
export function removeDatabase(path: string): void {
  for (const suffix of [...SIDE_FILES, '']) rmSync(path + suffix, { force: true });
}

/** Returns the bytes of a database with its WAL and shared memory. */
export function measureDatabase(path: string): number {
  return ['', ...SIDE_FILES].reduce(
    (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
