import { gzipSync } from 'node:zlib';

/** The fastest level: on the devices this runs on, gzip's time costs more than the last few per cent of size. */
const LEVEL = 1;
/** Numbers of many series compress to less than a quarter, and zlib joins its pieces: one that holds all of it saves that. */
const MIN_PIECE_BYTES = 4096;

/** Compresses a body into memory of its own, which may move to another thread: zlib returns a slice of something larger. */
export function compressGzip(body: Uint8Array): Uint8Array {
  const chunkSize = Math.max(MIN_PIECE_BYTES, body.length >> 2);
  return new Uint8Array(gzipSync(body, { level: LEVEL, chunkSize }));
}
