import type { Clock } from '@thugshells/shared/clock.ts';

import type { Store } from '../store/store.ts';
import type { StoredScrape } from '../store/writing/scrape-buffer.ts';

export interface CommitBatcherOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, 'add' | 'flush'>;
  /** FLUSH_INTERVAL: how long scrapes are buffered for one commit, in milliseconds. */
  readonly flushIntervalMs: number;
}

/** Longer than the collectors that are due at once take together; a slow one is in a later commit. */
const MIN_BATCH_MS = 100;

/**
 * Decides when buffered scrapes are committed: everything that the store gets within FLUSH_INTERVAL of the first one, or
 * within 100 ms if that is longer, is one commit.
 *
 * Most collectors are due at the same time, and a commit of each would write the same pages, of the index and of the
 * books, as many times. The store owns the buffer: it bounds the memory, and commits earlier when that fills.
 */
export class CommitBatcher {
  readonly #options: CommitBatcherOptions;
  readonly #closed = new AbortController();
  #isFlushDue = false;

  constructor(options: CommitBatcherOptions) {
    this.#options = options;
  }

  /** Adds a scrape to the store's buffer; it is committed with the next flush. */
  add(scrape: StoredScrape): void {
    this.#options.store.add(scrape);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    void this.#flushLater();
  }

  /** Cancels the next flush; closing the store commits what is buffered. */
  close(): void {
    this.#closed.abort();
  }

  async #flushLater(): Promise<void> {
    const { clock, store, flushIntervalMs } = this.#options;
    await clock.sleep(Math.max(MIN_BATCH_MS, flushIntervalMs), this.#closed.signal);
    this.#isFlushDue = false;
    if (!this.#closed.signal.aborted) store.flush();
  }
}
