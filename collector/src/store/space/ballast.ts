import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import { BALLAST_BYTES } from './limits.ts';

/** Minimum of free space beside a new ballast: on a nearly full disk it would be released at once. */
const FREE_BESIDE_BYTES = 4 * BALLAST_BYTES;

/** A file that reserves space; on a full disk it is removed, so that acknowledgements and deletions can be written. */
export class Ballast {
  readonly #path: string;

  constructor(databasePath: string) {
    this.#path = `${databasePath}.ballast`;
  }

  /** Creates the file if it is missing and there is space; returns whether it exists. Never throws: it is a precaution. */
  ensure(): boolean {
    try {
      if (statSync(this.#path, { throwIfNoEntry: false })?.size === BALLAST_BYTES) return true;
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < BALLAST_BYTES + FREE_BESIDE_BYTES) return false;
      this.#write();
      return true;
    } catch {
      // An incomplete ballast would release less space than it is counted for.
      this.release();
      return false;
    }
  }

  /** Removes the file; returns whether there was one. */
  release(): boolean {
    try {
      rmSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }

  /** Writes random bytes: zeros would take no space on a file system that compresses. */
  #write(): void {
    // A new file: one that is there may be a link to any other, which would be truncated, and closed.
    rmSync(this.#path, { force: true });
    const descriptor = openSync(this.#path, 'wx', 0o660);
    try {
      writeSync(descriptor, randomFillSync(Buffer.alloc(BALLAST_BYTES)));
    } finally {
      closeSync(descriptor);
    }
  }
}
