import type { Clock } from '@thugshells/shared/clock.ts';
import { EpochRanges } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { RecurringWork } from '@thugshells/shared/recurring-work.ts';

import type { SettledRanges } from './settled-ranges.ts';

export interface UntimedRowsOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly database: Database;
  readonly settled: SettledRanges;
}

/** The reason for which rows of a lost epoch are rejected; stored in the database. */
export const UNTIMED_REASON = 'the clock was never right in its boot';

/** How often the epochs are checked: at most one is lost per boot. */
const CHECK_INTERVAL_MS = 60_000;
/** Maximum rows per transaction, which takes some milliseconds, so that scrapes and uploads are not delayed. */
const SLICE_ROWS = 500;

/**
 * Rejects the rows of lost epochs: earlier boots that ended before their clock could be corrected. Such rows were held and
 * never sent, so that nothing else in this folder changes them.
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

  /** Rejects them now and once a minute until `stop` is aborted. */
  async run(recurring: RecurringWork, stop: AbortSignal): Promise<void> {
    const work = async (): Promise<void> => {
      const count = await this.reject(stop);
      if (count > 0)
        this.#options.logger.warn('rejected samples without correct time', { count, reason: UNTIMED_REASON });
    };
    const task = { message: 'cannot reject samples without correct time', work };
    await recurring.run(task, { intervalMs: CHECK_INTERVAL_MS, stop });
  }

  /** Rejects all of them, slice by slice; returns how many. */
  async reject(stop: AbortSignal): Promise<number> {
    let rejected = 0;
    for (let slice = this.#rejectSlice(); slice > 0 && !stop.aborted; slice = this.#rejectSlice()) {
      rejected += slice;
      await this.#options.clock.sleep(1, stop);
    }
    return rejected;
  }

  #rejectSlice(): number {
    const { database, settled } = this.#options;
    return database
      .transaction(() => {
        for (const gap of subtract(this.#findLost(), settled.readRanges())) {
          const ids = this.#ids.all(...gap, SLICE_ROWS);
          if (ids.length > 0) return settled.reject(ids.map((id) => ({ id, reason: UNTIMED_REASON })));
        }
        return 0;
      })
      .immediate();
  }

  #findLost(): IdRange[] {
    return this.#epochs.all().flatMap(({ firstId, lastId, isLost }) => (isLost ? [[firstId, lastId]] : []));
  }
}
