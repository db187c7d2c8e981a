import type { Logger } from '@thugshells/shared/logging/logger.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';

import type { Collector } from '../collectors/collector.ts';

/** Of a message, which may have names of files, series and labels in it. */
export const MAX_MESSAGE_LENGTH = 2_000;

/** What a scrape left out, besides what its collector reports of itself. */
export interface LeftOutOfScrape {
  /** The text for the log when the first series of the collector is refused; once only. */
  readonly seriesNotice: string | undefined;
  /** Foreign samples that are NaN: an exporter's quantile of no observations is NaN, which is no failure. */
  readonly valueless: readonly string[];
}

/**
 * Logs what scrapes leave out though nothing failed, each kind once for a collector: the counters show that it goes on.
 * Events of the device are logged each time.
 */
export class ScrapeNotices {
  readonly #logger: Logger;
  /** By collector, message and subject: what has been logged. */
  readonly #logged = new Set<string>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  log({ name, notice, leftOut = [], events = [] }: Collector, { seriesNotice, valueless }: LeftOutOfScrape): void {
    if (seriesNotice !== undefined) this.#warn(name, 'too many series', seriesNotice);
    if (notice !== undefined) this.#warn(name, 'collector output limited', notice);
    for (const { event, subject, reason } of leftOut) this.#warn(name, event, reason, subject);
    for (const { message, fields } of events) this.#logger.warn(message, { collector: name, ...fields });
    const [first] = valueless;
    const more = valueless.length > 1 ? ` and ${valueless.length - 1} more` : '';
    if (first !== undefined) this.#warn(name, 'non-finite samples dropped', first + more);
  }

  #warn(collector: string, message: string, reason: string, subject = ''): void {
    const key = `${collector} ${message} ${subject}`;
    if (this.#logged.has(key)) return;
    this.#logged.add(key);
    this.#logger.warn(message, { collector, reason: toExcerpt(reason, MAX_MESSAGE_LENGTH) });
  }
}
