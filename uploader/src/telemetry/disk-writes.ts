import { readFileSync } from 'node:fs';

import type { Clock } from '@thugshells/shared/clock.ts';

const DAY_MS = 86_400_000;
/** A rate over less than this would mostly show the start of the process. */
const MIN_ELAPSED_MS = 60_000;

/** Measures how much this process writes to the disk: its share of the wear of a card. */
export class DiskWrites {
  readonly #clock: Clock;
  readonly #startedAt: number;
  readonly #bytesAtStart: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#bytesAtStart = readWrittenBytes();
  }

  /** Returns bytes per day, averaged since the start; undefined in the first minute and without /proc/self/io. */
  perDay(): number | undefined {
    const elapsedMs = this.#clock.monotonic() - this.#startedAt;
    const written = readWrittenBytes();
    if (elapsedMs < MIN_ELAPSED_MS || written === undefined || this.#bytesAtStart === undefined) return undefined;
    return ((written - this.#bytesAtStart) / elapsedMs) * DAY_MS;
  }
}

/** Reads the bytes that this process has caused to be sent to the storage layer: write_bytes in proc_pid_io(5). */
function readWrittenBytes(): number | undefined {
  try {
    const found = /^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'));
    return found === null ? undefined : Number(found[1]);
  } catch {
    // Not Linux, or a kernel without task accounting.
    return undefined;
  }
}
