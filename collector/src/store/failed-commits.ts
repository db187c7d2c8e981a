import type { Clock } from '@thugshells/shared/clock.ts';
import { isLocked, toLockError } from '@thugshells/shared/database/write-lock.ts';

import { describeStorageError } from './recovery/storage-errors.ts';

/** How often a commit is retried while commits fail. */
const RETRY_INTERVAL_MS = 5_000;
/** The same while another program holds the write lock: to see whether it is free costs microseconds. */
const LOCK_RETRY_INTERVAL_MS = 200;
/** A lock is reported once it has been held for this long: a card that stalls lets a commit of the uploader take seconds. */
const LOCK_REPORTED_AFTER_MS = 5_000;

/** A failed commit, as it is reported. */
export interface CommitFailure {
  readonly error: unknown;
  readonly reason: string;
  /** Whether it is logged now: once for each reason, and a lock only if it lasts. */
  readonly isLogged: boolean;
}

/** What is known of the commits that failed since the last one that went through: when to retry, and what to log. */
export class FailedCommits {
  readonly #options: { readonly clock: Clock; readonly dbPath: string };
  #failedAt = -Infinity;
  /** Since when another program holds the write lock, by the monotonic clock; undefined if the last failure was another. */
  #lockedSince: number | undefined;
  #loggedReason: string | undefined;
  /** How a lock was logged that has not ended; the uploader may hold it for a moment in between. */
  #loggedLock: CommitFailure | undefined;

  constructor(options: { readonly clock: Clock; readonly dbPath: string }) {
    this.#options = options;
  }

  /** Whether the last commit failed because another program holds the write lock. */
  get isLocked(): boolean {
    return this.#lockedSince !== undefined;
  }

  /** Milliseconds between two attempts while the write lock is held; undefined while it is not. */
  get lockRetryMs(): number | undefined {
    return this.isLocked ? LOCK_RETRY_INTERVAL_MS : undefined;
  }

  get isRetryDue(): boolean {
    return this.#options.clock.monotonic() - this.#failedAt >= (this.lockRetryMs ?? RETRY_INTERVAL_MS);
  }

  /** Adds a failed commit. */
  add(cause: unknown): CommitFailure {
    const { clock, dbPath } = this.#options;
    const now = clock.monotonic();
    this.#failedAt = now;
    this.#lockedSince = isLocked(cause) ? (this.#lockedSince ?? now) : undefined;
    if (this.isLocked && this.#loggedLock !== undefined) return { ...this.#loggedLock, isLogged: false };
    const error = this.isLocked ? toLockError(dbPath, cause) : cause;
    const { reason } = describeStorageError(error);
    const isBrief = this.#lockedSince !== undefined && now - this.#lockedSince < LOCK_REPORTED_AFTER_MS;
    const isLogged = !isBrief && reason !== this.#loggedReason;
    const failure = { error, reason, isLogged };
    if (isLogged) this.#loggedReason = reason;
    this.#loggedLock = isLogged && this.isLocked ? failure : undefined;
    return failure;
  }

  /** Ends the failure: a commit has gone through. Returns whether it had been logged. */
  end(): boolean {
    const wasLogged = this.#loggedReason !== undefined;
    this.#loggedReason = undefined;
    this.#loggedLock = undefined;
    this.#lockedSince = undefined;
    return wasLogged;
  }
}
