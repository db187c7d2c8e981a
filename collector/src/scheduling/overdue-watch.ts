import type { Clock } from '@thugshells/shared/clock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { toLateMs } from '@thugshells/shared/state/collector-status.ts';

export interface OverdueWatchOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called when a collector becomes overdue. */
  readonly onOverdue: (collector: string) => void;
}

const HINT = 'check the file systems and devices that it reads (run: dmesg)';

/**
 * Watches for scrapes that do not end: a text file on a server that is gone, a driver that does not answer. The kernel
 * gives nobody a way to end such a read, so it is named, once; the uploader names it in health after the same time.
 */
export class OverdueWatch {
  readonly #options: OverdueWatchOptions;
  readonly #overdue = new Set<string>();

  constructor(options: OverdueWatchOptions) {
    this.#options = options;
  }

  /** The collectors whose last scrape has not ended in time. */
  get collectors(): readonly string[] {
    return [...this.#overdue];
  }

  /** Watches a scrape until `ended` is aborted. */
  async watch(collector: string, intervalMs: number, ended: AbortSignal): Promise<void> {
    const { clock, logger, onOverdue } = this.#options;
    const lateMs = toLateMs(intervalMs);
    await clock.sleep(lateMs, ended);
    if (ended.aborted || this.#overdue.has(collector)) return;
    this.#overdue.add(collector);
    logger.warn('scrape overdue', { collector, duration_ms: lateMs, hint: HINT });
    onOverdue(collector);
  }

  /** A scrape has ended; a collector is overdue until one does so in time. */
  end(collector: string, intervalMs: number, durationMs: number): void {
    if (!this.#overdue.has(collector) || durationMs >= toLateMs(intervalMs)) return;
    this.#overdue.delete(collector);
    this.#options.logger.warn('collector recovered', { collector });
  }
}
