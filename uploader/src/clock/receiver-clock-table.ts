import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { MAX_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import { isBootTime, type ReceiverClockRow } from '@thugshells/shared/state/receiver-clock.ts';

/** The table through which the collector, and the rows that are held, learn of the receiver's clock: one row a boot. */
export class ReceiverClockTable {
  readonly #bootId: string | undefined;
  readonly #database: Database;
  readonly #save: Statement;
  readonly #prune: Statement;
  readonly #bootedAt: Statement<[string], unknown>;

  /** @param bootId the kernel's; without it nothing is stored, because a row is valid only for its boot */
  constructor(database: Database, bootId: string | undefined) {
    this.#bootId = bootId;
    this.#database = database;
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO receiver_clock (boot_id, booted_at_ms, policy, measured_at) VALUES (?, ?, ?, ?)',
    );
    this.#bootedAt = database
      .prepare<[string], unknown>('SELECT booted_at_ms FROM receiver_clock WHERE boot_id = ?')
      .pluck();
    // Boots of which no row is left, and times that cannot be: epochs would be judged by them.
    this.#prune = database.prepare(
      `DELETE FROM receiver_clock WHERE boot_id <> ? AND boot_id NOT IN (SELECT boot_id FROM epochs WHERE boot_id IS NOT NULL)
         OR typeof(booted_at_ms) NOT IN ('integer', 'real') OR abs(booted_at_ms) > ${MAX_TIMESTAMP_MS}`,
    );
  }

  /** Returns the receiver's time, Unix milliseconds, at a time since boot; undefined until it has been measured. */
  receiverNow(sinceBootMs: number): number | undefined {
    const bootedAtMs = this.#bootId === undefined ? undefined : this.#bootedAt.get(this.#bootId);
    return isBootTime(bootedAtMs) ? bootedAtMs + sinceBootMs : undefined;
  }

  save({ bootedAtMs, policy, measuredAtMs }: ReceiverClockRow): void {
    if (this.#bootId === undefined) return;
    this.#database
      .transaction(() => {
        this.#save.run(this.#bootId, bootedAtMs, policy, Math.round(measuredAtMs));
        this.#prune.run(this.#bootId);
      })
      .immediate();
  }
}
