/**
 * Loaded into a program before it starts, it moves the program's wall clock by what a file says, in milliseconds, and
 * follows the file. The monotonic clock stays, as it does when somebody sets a board's clock.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';

const file = process.env.SOAK_CLOCK_FILE;
const LOOK_EVERY_MS = 100;
const RealDate = Date;
let offsetMs = 0;

function look() {
  try {
    offsetMs = Number(readFileSync(file, 'utf8'));
  } catch {
    // It is being written.
  }
}

if (file !== undefined) {
  look();
  setInterval(look, LOOK_EVERY_MS).unref();
  globalThis.Date = class extends RealDate {
    constructor(...args) {
      if (args.length === 0) super(RealDate.now() + offsetMs);
      else super(...args);
    }

    static now() {
      return RealDate.now() + offsetMs;
    }
  };
}
