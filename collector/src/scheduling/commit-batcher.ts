import type { Clock } from '@thugshells/shared/clock.ts';

import type { StoredScrape } from '../store/writing/scrape-buffer.ts';
import type { Store } from '../store/store.ts';

export interface CommitBatcherOptions {
  readonly clock: Clock;
  readonly store: Pick<Store, 'add'>;
}

/** Longer than those that are due at once take together, but for a slow one, which is not waited for. */
const ROUND_MS = 100;

/**
 * Hands scrapes on together that ended together, so that they are one commit: most collectors are due at the same time, and a
 * commit of each would write the same pages, of the index and of the books, as many times.
 */
export class CommitBatcher {
  readonly #options: CommitBatcherOptions;
  #scrapes: StoredScrape[] = [];

  constructor(options: CommitBatcherOptions) {
    this.#options = options;
  }

  /** Takes a scrape; it is handed on within ROUND_MS. */
  add(scrape: StoredScrape): void {
    this.#scrapes.push(scrape);
    if (this.#scrapes.length === 1) void this.#options.clock.sleep(ROUND_MS).then(() => this.end());
  }

  /** Hands on what has gathered. */
  end(): void {
    const scrapes = this.#scrapes;
    this.#scrapes = [];
    if (scrapes.length > 0) this.#options.store.add(...scrapes);
  }
}
