import type { Clock } from '@thugshells/shared/clock.ts';
import { EpochRanges } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { errorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

import type { SettledRanges } from './settled-ranges.ts';

export interface UntimedRowsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly settled: SettledRanges;
}

/** Why a row is rejected whose epoch is lost. */
export const UNTIMED_REASON = 'the clock was never right in its boot';

/** How often the epochs are looked at: one is lost at most once a boot. */
const LOOK_INTERVAL_MS = 60_000;
/** Rows that are rejected in one transaction: some milliseconds, so that scrapes and uploads are not held up. */
const SLICE = 500;

/**
 * Rejects the rows of earlier boots whose true time nobody will ever know. They have never been offered to a receiver,
 * so that nothing else here touches them.
 */
export class UntimedRows {
  readonly #options: UntimedRowsOptions;
  readonly #epochs: EpochRanges;
  readonly #ids: Statement<[number, number, number], number>;

  constructor(options: UntimedRowsOptions) {
    this.#options = options;
    this.#epochs = new EpochRanges(options.database);
    this.#ids = options.database
      .prepare<[number, number, number], number>('SELECT id FROM samples WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?')
      .pluck();
  }

  async run(stop: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    for await (const _ of ticks(clock, { intervalMs: LOOK_INTERVAL_MS, stop })) {
      try {
        const rejected = await this.reject(stop);
        if (rejected > 0) logger.warn('samples were rejected', { count: rejected, reason: UNTIMED_REASON });
      } catch (error) {
        logger.error('samples without a true time could not be rejected', errorFields(error));
      }
    }
  }

  /** Rejects what there is, slice by slice; returns how many rows that were. */
  async reject(stop: AbortSignal): Promise<number> {
    let rejected = 0;
    for (let slice = this.#slice(); slice > 0 && !stop.aborted; slice = this.#slice()) {
      rejected += slice;
      await this.#options.clock.sleep(1, stop);
    }
    return rejected;
  }

  #slice(): number {
    const { database, settled } = this.#options;
    return database
      .transaction(() => {
        for (const gap of subtract(this.#lost(), settled.readRanges())) {
          const ids = this.#ids.all(...gap, SLICE);
          if (ids.length > 0) return settled.reject(ids.map((id) => ({ id, reason: UNTIMED_REASON })));
        }
        return 0;
      })
      .immediate();
  }

  #lost(): IdRange[] {
    return this.#epochs.all().flatMap(({ firstId, lastId, isLost }) => (isLost ? [[firstId, lastId]] : []));
  }
}
