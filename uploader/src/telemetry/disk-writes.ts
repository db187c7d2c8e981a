import { readFileSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';

const DAY_MS = 86_400_000;
/** A rate over less than this would mostly show the start of the process. */
const LEAST_TIME_MS = 60_000;

/** How much this process writes to the disk: its part of what wears a card. */
export class OwnWrites {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #before: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#before = writtenBytes();
  }

  /** Bytes in a day, as in the life of this process; undefined in its first minute, and where the kernel does not say. */
  perDay(): number | undefined {
    const elapsedMs = this.#clock.monotonic() - this.#startedAt;
    const written = writtenBytes();
    if (elapsedMs < LEAST_TIME_MS || written === undefined || this.#before === undefined) return undefined;
    return ((written - this.#before) / elapsedMs) * DAY_MS;
  }
}

/** Bytes that this process has had written to the storage layer: write_bytes in proc_pid_io(5). */
function writtenBytes(): number | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    // Not Linux, or a kernel without task accounting.
    return undefined;
  }
}
