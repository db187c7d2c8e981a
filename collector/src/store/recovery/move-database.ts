import { existsSync, renameSync, rmSync, statSync } from 'node:fs';

/** What SQLite puts beside the file of a database in WAL mode. */
const SIDE_FILES = ['-wal', '-shm'] as const;

/**
 * Gives a database another name. The file itself goes first: whoever opens the old name meanwhile finds nothing, never
 * the file without its WAL. A program that has it open goes on with the files that it has; SQLite sees that they were
 * moved and leaves the WAL where it is when it closes them.
 */
export function moveDatabase(from: string, to: string): void {
  if (existsSync(from)) renameSync(from, to);
  finishInterruptedMove(from, to);
}

/** Moves what a kill in the middle of moveDatabase() left: only for a move that is known to have begun. */
export function finishInterruptedMove(from: string, to: string): void {
  if (existsSync(from) || !existsSync(to)) return;
  for (const suffix of SIDE_FILES) if (existsSync(from + suffix)) renameSync(from + suffix, to + suffix);
}

/** Removes a database and what stands beside it. */
export function removeDatabase(path: string): void {
  for (const suffix of [...SIDE_FILES, '']) rmSync(path + suffix, { force: true });
}

/** Bytes of a database with what stands beside it. */
export function measureDatabase(path: string): number {
  return ['', ...SIDE_FILES].reduce(
    (sum, suffix) => sum + (statSync(path + suffix, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}
