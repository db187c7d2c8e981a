import { EpochRanges, isOffset, SENT_BEFORE_CORRECTION } from '@thugshells/shared/database/epochs.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { isTrust, Trust } from '@thugshells/shared/state/epoch-trust.ts';
import { isBootTime, type ReceiverClockRow } from '@thugshells/shared/state/receiver-clock.ts';

import type { Epoch, ForeignEpoch, KnownReceiverClock } from './epoch.ts';

/** Receivers drop samples that are further ahead of their clock. */
const MAX_AHEAD_MS = 2 * 86_400_000;

/** The boot of an epoch whose samples are held. */
interface BootOfEpoch {
  readonly bootId: string | null;
  /** Null if it is not known. */
  readonly bootBaseMs: unknown;
  /** Null if none is known. */
  readonly receiverBootedAtMs: unknown;
  readonly trusted: unknown;
}

interface HeldEpoch extends BootOfEpoch {
  readonly firstId: number;
  readonly lastId: number;
  readonly offsetMs: number;
}

/** What became of the held epochs. */
export interface HeldCorrection {
  /** Epochs whose offset is right now. */
  readonly corrected: number;
  /** Epochs that can never be corrected. */
  readonly lost: number;
}

/** The table `epochs`: one row for each step of the clock, whatever the number of samples. */
export class EpochTable {
  readonly #bootId: string | undefined;
  readonly #newest: Statement<
    [],
    { offset_ms: unknown; boot_base_ms: unknown; trusted: unknown; boot_id: string | null; reason: unknown }
  >;
  readonly #count: Statement<[], number>;
  readonly #receiver: Statement<[string], { readonly bootedAtMs: unknown } & Pick<ReceiverClockRow, 'policy'>>;
  readonly #insert: Statement;
  readonly #confirm: Statement;
  readonly #prune: Statement<[number]>;
  readonly #ranges: EpochRanges;
  readonly #boot: Statement<[number], BootOfEpoch>;
  readonly #lastId: Statement<[], number>;
  readonly #delivered: Statement<[number, number], { first: number; last: number }>;
  readonly #lose: Statement<[number]>;
  readonly #markLost: Statement<[number]>;
  readonly #forgetBootBase: Statement<[]>;

  constructor(database: Database, bootId: string | undefined) {
    this.#bootId = bootId;
    this.#newest = database.prepare(
      'SELECT offset_ms, boot_base_ms, trusted, boot_id, reason FROM epochs ORDER BY first_id DESC LIMIT 1',
    );
    this.#count = database.prepare<[], number>('SELECT COUNT(*) FROM epochs').pluck();
    this.#receiver = database.prepare(
      'SELECT booted_at_ms AS bootedAtMs, policy FROM receiver_clock WHERE boot_id = ?',
    );
    this.#insert = database.prepare(
      `INSERT OR REPLACE INTO epochs (first_id, offset_ms, trusted, boot_id, boot_base_ms, reason) VALUES (?, ?, ?, ?, ?, ?)`,
    );
    this.#confirm = database.prepare(
      'UPDATE epochs SET trusted = 2 WHERE first_id = (SELECT MAX(first_id) FROM epochs)',
    );
    // Epochs whose samples retention has deleted.
    this.#prune = database.prepare(
      `DELETE FROM epochs WHERE first_id <
         (SELECT MAX(first_id) FROM epochs WHERE first_id <= IFNULL((SELECT MIN(id) FROM samples), ?))`,
    );
    this.#ranges = new EpochRanges(database);
    this.#boot = database.prepare(
      `SELECT e.boot_id AS bootId, e.boot_base_ms AS bootBaseMs, e.trusted, r.booted_at_ms AS receiverBootedAtMs
       FROM epochs AS e LEFT JOIN receiver_clock AS r ON r.boot_id = e.boot_id WHERE e.first_id = ?`,
    );
    this.#lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck();
    this.#delivered = database.prepare(
      'SELECT first_id AS first, last_id AS last FROM settled WHERE last_id >= ? AND first_id <= ? ORDER BY first_id',
    );
    // Then the epoch's own trust counts, and it is not compared with the receiver's clock.
    this.#forgetBootBase = database.prepare(
      `UPDATE epochs SET boot_base_ms = NULL WHERE typeof(boot_base_ms) NOT IN ('integer', 'null')`,
    );
    this.#markLost = database.prepare('UPDATE epochs SET lost = 1 WHERE first_id = ?');
    this.#lose = database.prepare(
      `UPDATE epochs SET lost = 1, trusted = 0, reason = reason || '; the boot ended before its clock was corrected' WHERE first_id = ?`,
    );
  }

  /** Reads the newest epoch; undefined if it is not one of this boot, or unreadable: then a new one begins. */
  newest(): Epoch | undefined {
    const row = this.#newest.get();
    if (row === undefined || row.boot_id !== (this.#bootId ?? null)) return undefined;
    const { offset_ms: offsetMs, boot_base_ms: bootBaseMs, trusted: trust, reason } = row;
    if (!isOffset(offsetMs) || !isOffset(bootBaseMs) || !isTrust(trust)) return undefined;
    return { offsetMs, bootBaseMs, trust, reason: String(reason) };
  }

  /** Counts the epochs. */
  count(): number {
    return this.#count.get() ?? 0;
  }

  /** Reads what the uploader found out about the receiver's clock in this boot. */
  receiverClock(): KnownReceiverClock | undefined {
    const row = this.#bootId === undefined ? undefined : this.#receiver.get(this.#bootId);
    return !isBootTime(row?.bootedAtMs) ? undefined : { bootedAtMs: row.bootedAtMs, isStamp: row.policy === 'correct' };
  }

  /** Adds an epoch, and deletes those without samples. */
  add(firstId: number, { offsetMs, bootBaseMs, trust, reason }: Epoch): void {
    this.#insert.run(firstId, offsetMs, trust, this.#bootId ?? null, bootBaseMs, reason);
    this.#prune.run(firstId);
  }

  /** Adds an epoch of samples that are copied from another database. */
  addForeign(firstId: number, { offsetMs, trust, bootId, bootBaseMs, reason, isLost }: ForeignEpoch): void {
    this.#insert.run(firstId, offsetMs, trust, bootId, bootBaseMs, reason);
    if (isLost) this.#markLost.run(firstId);
  }

  /** Records that the newest epoch's clock agreed with the receiver's. */
  confirmNewest(): void {
    this.#confirm.run();
  }

  /**
   * Corrects the held epochs before `firstId` if their clock is known: those of this boot by when it began, others by the
   * receiver's clock in their boot. Those of another boot without a receiver's clock are lost.
   *
   * @param bootedAtMs when this boot began, by a clock that is trusted; undefined while there is none
   */
  correctHeld(firstId: number, bootedAtMs: number | undefined): HeldCorrection {
    let corrected = 0;
    let lost = 0;
    this.#forgetBootBase.run();
    for (const epoch of this.#held(firstId)) {
      const isOfThisBoot = this.#bootId !== undefined && epoch.bootId === this.#bootId;
      const knownBootedAtMs = isOfThisBoot ? bootedAtMs : epoch.receiverBootedAtMs;
      if (isOffset(epoch.bootBaseMs) && isBootTime(knownBootedAtMs)) {
        this.#correct(epoch, Math.round(knownBootedAtMs - epoch.bootBaseMs));
        corrected += 1;
      } else if (!isOfThisBoot && (epoch.receiverBootedAtMs === null || isBootTime(epoch.receiverBootedAtMs))) {
        // A receiver's clock that is unreadable made them held: the uploader deletes it, and they are trusted as before.
        this.#lose.run(epoch.firstId);
        lost += 1;
      }
    }
    return { corrected, lost };
  }

  /** Returns the epochs before an id whose samples are held. */
  #held(beforeId: number): HeldEpoch[] {
    return this.#ranges
      .all()
      .filter(({ firstId, isTrusted, isLost }) => !isTrusted && !isLost && firstId < beforeId)
      .map(({ firstId, lastId, offsetMs }) => ({
        firstId,
        lastId: Math.min(lastId, this.#lastId.get()!),
        offsetMs,
        ...this.#boot.get(firstId)!,
      }));
  }

  /**
   * Corrects an epoch. Delivered samples keep the time that they were sent with: a retry must be the same sample. Not those
   * that were sent too far ahead of the receiver, by the time of a portal: it has not kept them.
   */
  #correct({ firstId, lastId, offsetMs, bootId, bootBaseMs, trusted }: HeldEpoch, correctedOffsetMs: number): void {
    const add = (first: number, offset: number, reason: string): unknown =>
      this.#insert.run(first, offset, Trust.confirmed, bootId, bootBaseMs, reason);
    let next = firstId;
    const isTooFarAhead = trusted === Trust.confirmed && offsetMs - correctedOffsetMs > MAX_AHEAD_MS;
    for (const { first, last } of isTooFarAhead ? [] : this.#delivered.all(firstId, lastId)) {
      if (first > next) add(next, correctedOffsetMs, 'corrected later');
      add(Math.max(first, firstId), offsetMs, SENT_BEFORE_CORRECTION);
      next = last + 1;
    }
    if (next <= lastId) add(next, correctedOffsetMs, 'corrected later');
  }
}
