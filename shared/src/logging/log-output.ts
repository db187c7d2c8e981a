import { writeSync } from 'node:fs';

import { backgroundClock, type Clock } from '../clock.ts';
import { toErrorCode, toErrorMessage } from '../errors.ts';

/** Lines that could not be written. */
export interface LostLines {
  readonly count: number;
  /** When the first of them was to be written, Unix milliseconds. */
  readonly sinceMs: number;
  /** Why the last of them could not. */
  readonly error: string;
}

export interface LogOutputOptions {
  /** A descriptor whose writes do not wait, if it is a pipe or a socket. */
  readonly descriptor: number;
  readonly clock?: Pick<Clock, 'now' | 'sleep'>;
  /** Bytes that wait for the reader of a pipe at most. */
  readonly maxPendingBytes?: number;
}

/** Returns the line that reports the lost ones, with its line feed. */
export type FormatLostLines = (lost: LostLines) => string;

/** Where a logger's lines go. */
export interface LineOutput {
  /** Writes a line with its line feed; never throws. */
  write(line: string): void;
  /** Sets how lost lines are reported. */
  reportLostBy(format: FormatLostLines): void;
  /** Waits until a slow reader has read what is pending, a second at most; for the end of the process. */
  drain(): Promise<void>;
}

/** About a thousand lines. */
const MAX_PENDING_BYTES = 256 * 1024;
const RETRY_MS = 100;
const DRAIN_MS = 1_000;
const NOT_READ = 'the reader of the log does not read';

/**
 * Writes lines to a descriptor. A full disk, a reader that has gone or one that has stopped must not end a program that only
 * wanted to log, nor fill its memory: lines that cannot be written are counted, and the count is written as a line of its
 * own as soon as lines can be written again.
 *
 * - While the descriptor takes lines, each is written at once.
 * - While a pipe is full, lines are kept up to a limit and written as the reader reads. Those beyond are lost, and all
 *   that follow until the kept ones are written.
 * - After an error each line is tried: a full disk may have space again.
 *
 * Node's own streams do not do this: an error ends them for good, and what a full pipe does not take they keep without limit.
 */
export class LogOutput implements LineOutput {
  readonly #descriptor: number;
  readonly #clock: Pick<Clock, 'now' | 'sleep'>;
  readonly #maxPendingBytes: number;
  #formatLost: FormatLostLines = ({ count }) => `log lines lost: ${count}\n`;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #lost: LostLines | undefined;
  /** Whether the first pending line is the rest of one. */
  #isPartWritten = false;
  /** Whether the last line that was written has no end. */
  #isLineOpen = false;
  #isRetrying = false;

  constructor({ descriptor, clock = backgroundClock, maxPendingBytes = MAX_PENDING_BYTES }: LogOutputOptions) {
    this.#descriptor = descriptor;
    this.#clock = clock;
    this.#maxPendingBytes = maxPendingBytes;
  }

  reportLostBy(format: FormatLostLines): void {
    this.#formatLost = format;
  }

  write(line: string): void {
    if (this.#pending.length === 0) this.#reportLost();
    const isFull = this.#pending.length > 0 && this.#pendingBytes + Buffer.byteLength(line) > this.#maxPendingBytes;
    if (isFull || this.#lost !== undefined) this.#lose(1, this.#lost?.error ?? NOT_READ);
    else this.#add(Buffer.from(line));
  }

  async drain(): Promise<void> {
    for (let waitedMs = 0; this.#pending.length > 0 && waitedMs < DRAIN_MS; waitedMs += RETRY_MS)
      await this.#clock.sleep(RETRY_MS);
  }

  #add(bytes: Buffer): void {
    this.#pending.push(bytes);
    this.#pendingBytes += bytes.length;
    if (!this.#isRetrying) this.#writePending();
  }

  #lose(count: number, error: string): void {
    const { sinceMs = this.#clock.now(), count: before = 0 } = this.#lost ?? {};
    this.#lost = { count: before + count, sinceMs, error };
  }

  /** Writes how many lines were lost; if that fails, they stay counted. */
  #reportLost(): void {
    const lost = this.#lost;
    if (lost === undefined) return;
    this.#lost = undefined;
    this.#add(Buffer.from(this.#formatLost(lost)));
    const again = this.#lost as LostLines | undefined;
    if (again !== undefined) this.#lost = { ...lost, error: again.error };
  }

  #writePending(): void {
    try {
      while (this.#pending.length > 0) this.#writeFirst();
    } catch (error) {
      if (toErrorCode(error) === 'EAGAIN') return void this.#retry();
      this.#isLineOpen ||= this.#isPartWritten;
      this.#isPartWritten = false;
      const count = this.#pending.length;
      this.#pending = [];
      this.#pendingBytes = 0;
      this.#lose(count, toErrorMessage(error));
    }
  }

  /** Writes of the first pending line what is taken at once. */
  #writeFirst(): void {
    if (this.#isLineOpen) writeSync(this.#descriptor, '\n');
    this.#isLineOpen = false;
    const first = this.#pending[0]!;
    const written = writeSync(this.#descriptor, first);
    this.#pendingBytes -= written;
    this.#isPartWritten = written < first.length;
    if (this.#isPartWritten) this.#pending[0] = first.subarray(written);
    else this.#pending.shift();
  }

  /** Tries again until the pending lines are written, or lost to another error. */
  async #retry(): Promise<void> {
    if (this.#isRetrying) return;
    this.#isRetrying = true;
    while (this.#pending.length > 0) {
      await this.#clock.sleep(RETRY_MS);
      this.#writePending();
    }
    this.#isRetrying = false;
    this.#reportLost();
  }
}
