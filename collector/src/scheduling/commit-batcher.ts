import type { Clock } from '@thugshells/shared/clock.ts';

import type { Store } from '../store/store.ts';
import type { StoredScrape } from '../store/writing/scrape-buffer.ts';

export interface CommitBatcherOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, 'add' | 'flush'>;
  /** FLUSH_INTERVAL: how long scrapes are gathered for one commit, in milliseconds. */
  readonly flushIntervalMs: number;
}

/** Longer than the collectors that are due at once take together; a slow one gets a later commit. */
const MIN_BATCH_MS = 100;

/**
 * Decides when scrapes are committed: everything that the store has got within FLUSH_INTERVAL of the first pending scrape,
 * at least within 100 ms of it, is one commit.
 *
 * Most collectors are due at the same time, and a commit of each would write the same pages, of the index and of the
 * books, as many times. The store holds what is pending: it bounds the memory, and commits earlier when that fills.
 */
export class CommitBatcher {
  readonly #options: CommitBatcherOptions;
  readonly #closed = new AbortController();
  #isFlushDue = false;

  constructor(options: CommitBatcherOptions) {
    this.#options = options;
  }

  /** Gives a scrape to the store; it is committed with the batch that is being gathered. */
  add(scrape: StoredScrape): void {
    this.#options.store.add(scrape);
    if (this.#isFlushDue) return;
    this.#isFlushDue = true;
    void this.#flushLater();
  }

  /** Ends the batch that is being gathered; closing the store commits it. */
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
