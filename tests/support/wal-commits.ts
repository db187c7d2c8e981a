import { readFileSync } from 'node:fs';

const HEADER_BYTES = 32;
const FRAME_HEADER_BYTES = 24;
/** Where the header has what every frame of it repeats, and where a frame does (sqlite.org/fileformat.html, section 4). */
const SALT_OF_HEADER = 16;
const SALT_OF_FRAME = 8;
const SALT_BYTES = 8;

/** How many commits stand in the WAL of a database: frames that end one tell the database's size in pages, others 0. */
export function walCommits(databasePath: string): number {
  const wal = readFileSync(`${databasePath}-wal`);
  if (wal.length < HEADER_BYTES) return 0;
  const salt = wal.subarray(SALT_OF_HEADER, SALT_OF_HEADER + SALT_BYTES);
  const frameBytes = FRAME_HEADER_BYTES + wal.readUInt32BE(8);
  let commits = 0;
  for (let at = HEADER_BYTES; at + frameBytes <= wal.length; at += frameBytes) {
    if (!salt.equals(wal.subarray(at + SALT_OF_FRAME, at + SALT_OF_FRAME + SALT_BYTES))) break;
    if (wal.readUInt32BE(at + 4) !== 0) commits += 1;
  }
  return commits;
}
