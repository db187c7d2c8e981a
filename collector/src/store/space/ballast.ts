import { randomFillSync } from 'node:crypto';
import { closeSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';

import { BALLAST_BYTES } from './limits.ts';

/** The ballast is made anew only with this much free beside it: a disk that is nearly full would lose it at once again. */
const FREE_BESIDE_BYTES = 4 * BALLAST_BYTES;

/** A file that takes space while there is some, and gives it back when there is none. */
export class Ballast {
  readonly #path: string;

  constructor(databasePath: string) {
    this.#path = `${databasePath}.ballast`;
  }

  /** Makes the file where it is missing and there is room; false where there is none. Never throws: it is a precaution. */
  ensure(): boolean {
    try {
      if (statSync(this.#path, { throwIfNoEntry: false })?.size === BALLAST_BYTES) return true;
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < BALLAST_BYTES + FREE_BESIDE_BYTES) return false;
      this.#write();
      return true;
    } catch {
      // Half a ballast would be taken for a whole one's space.
      this.release();
      return false;
    }
  }

  /** Gives the space back; false where there was none to give. */
  release(): boolean {
    try {
      rmSync(this.#path);
      return true;
    } catch {
      return false;
    }
  }

  /** Of random bytes: zeros would take no space on a file system that compresses. */
  #write(): void {
    const descriptor = openSync(this.#path, 'w', 0o660);
    try {
      writeSync(descriptor, randomFillSync(Buffer.alloc(BALLAST_BYTES)));
    } finally {
      closeSync(descriptor);
    }
  }
}
