import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { intersect, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { Rejection, Settled } from './settled-ranges.ts';

/** A chunk, or the part of one, that the receiver took. */
export interface AcceptedChunk {
  readonly batchId: string;
  readonly chunkIndex: number;
  readonly ranges: readonly IdRange[];
  readonly count: number;
  /** Shows whether a pending row has gone since the chunk was read; undefined where its rows have to be counted again. */
  readonly lossesMark?: string;
  /** The connection that carried the answer. */
  readonly connection: number | undefined;
}

/** What was accepted over one connection and committed together. */
interface Provisional {
  readonly rowId: number;
  readonly ranges: readonly IdRange[];
  /** Undefined after an announced close: the next connection takes it over. */
  readonly connection: number | undefined;
  readonly acceptedAt: number;
  /** Its rows have been sent again before. */
  readonly replayed: boolean;
}

/** What the end of a connection came to. */
export interface ConnectionLoss {
  /** How many rows became pending again. */
  readonly rows: number;
  /** It also held rows that have been sent again before; the caller finds out whether the receiver is still there. */
  readonly inDoubt: boolean;
}

export interface AcknowledgementsOptions {
  readonly clock: Clock;
  /** How long an acceptance stays provisional; 0 makes it final at once. */
  readonly replayWindowMs: number;
}

/** What a commit left behind. */
interface Written {
  /** Everything that is provisional now. */
  readonly provisional: readonly Provisional[];
  /** What became pending again, and how many rows that were. */
  readonly replayed: readonly IdRange[];
  readonly rows: number;
}

/** Checkpoints beyond this many are forgotten, oldest first. */
const KEPT_CHECKPOINTS = 10_000;
/** Many at a time: a few with each commit would write two more pages each time. */
const FORGOTTEN_AT_ONCE = 1_000;

/**
 * Gathers what the receiver accepted and commits it in groups: ranges, checkpoints and books in one transaction.
 *
 * VictoriaMetrics answers before it writes to disk. Killed in between, it forgets what it acknowledged, and the only
 * trace is that the connection closed. So an acceptance is provisional until its connection has carried another good
 * answer at least a replay window later; when the connection ends first, its rows become pending again.
 *
 * Behind a proxy that ends every idle connection they would be sent for ever that way. So rows that have been sent
 * again before are in doubt when their connection ends: they go over to the connection of a request that is answered
 * at once, which a receiver that was killed cannot do, and become pending again where there is none.
 */
export class Acknowledgements {
  readonly #database: Database;
  readonly #settled: Settled;
  readonly #options: AcknowledgementsOptions;
  readonly #checkpoint: Statement;
  readonly #forgetCheckpoints: Statement;
  readonly #saveProvisional: Statement;
  readonly #dropProvisional: Statement<[number]>;
  #accepted: AcceptedChunk[] = [];
  #rejected: Rejection[] = [];
  #provisional: Provisional[] = [];
  /** Rows of `provisional` that became final; deleted with the next commit, so that this costs no commit of its own. */
  #confirmed: number[] = [];
  /** Connections that ended, until the next commit takes back what they held and was never sent again. */
  readonly #lost = new Set<number>();
  /** Connections that ended with their receiver: the next commit takes back all that they held. */
  readonly #lostWithReceiver = new Set<number>();
  /** Ids that were made pending again and not accepted since. */
  #replayed: IdRange[] = [];

  constructor(database: Database, settled: Settled, options: AcknowledgementsOptions) {
    this.#database = database;
    this.#settled = settled;
    this.#options = options;
    this.#checkpoint = database.prepare(
      `INSERT INTO upload_checkpoints (batch_id, chunk_index, uploaded_at, metric_count) VALUES (?, ?, ?, ?)
       ON CONFLICT (batch_id, chunk_index) DO UPDATE SET metric_count = metric_count + excluded.metric_count`,
    );
    this.#forgetCheckpoints = database.prepare(
      `DELETE FROM upload_checkpoints WHERE id <= (SELECT MAX(id) FROM upload_checkpoints) - ${KEPT_CHECKPOINTS - FORGOTTEN_AT_ONCE}
         AND (SELECT MAX(id) FROM upload_checkpoints) - (SELECT MIN(id) FROM upload_checkpoints) >= ${KEPT_CHECKPOINTS}`,
    );
    this.#saveProvisional = database.prepare('INSERT INTO provisional (accepted_at, ranges) VALUES (?, ?)');
    this.#dropProvisional = database.prepare('DELETE FROM provisional WHERE id = ?');
  }

  /**
   * Makes pending again what an earlier process left provisional: its connections ended with it. And looks once which
   * ranges of settled ids the collector's deletions have brought together.
   */
  recover(): number {
    const rows = this.#database.prepare<[], { ranges: string }>('SELECT ranges FROM provisional').all();
    const ranges = rows.flatMap((row) => JSON.parse(row.ranges) as IdRange[]);
    const recover = this.#database.transaction(() => {
      this.#database.exec('DELETE FROM provisional');
      return this.#options.replayWindowMs > 0 ? this.#settled.unsettle(ranges) : 0;
    });
    this.#replayed = merge(ranges);
    const replayed = rows.length === 0 ? 0 : recover.immediate();
    this.#database.transaction(() => this.#settled.compact()).immediate();
    return replayed;
  }

  accept(chunk: AcceptedChunk): void {
    if (chunk.count > 0) this.#accepted.push(chunk);
  }

  reject(rejections: readonly Rejection[]): void {
    this.#rejected.push(...rejections);
  }

  /** Ids that are settled here and not yet in the database. */
  inHand(): IdRange[] {
    return merge([
      ...this.#accepted.flatMap(({ ranges }) => ranges),
      ...this.#rejected.map(({ id }): IdRange => [id, id]),
    ]);
  }

  /**
   * Commits what has gathered; on failure it stays gathered, and nothing of it is sent again.
   * Returns how many rows became pending again because their connection had ended.
   */
  commit(): number {
    const gathered =
      this.#accepted.length +
      this.#rejected.length +
      this.#confirmed.length +
      this.#lost.size +
      this.#lostWithReceiver.size;
    if (gathered === 0) return 0;
    const { provisional, replayed, rows } = this.#database.transaction(() => this.#write()).immediate();
    const accepted = merge(this.#accepted.flatMap(({ ranges }) => ranges));
    this.#provisional = [...provisional];
    this.#replayed = merge([...subtract(this.#replayed, accepted), ...replayed]);
    this.#accepted = [];
    this.#rejected = [];
    this.#confirmed = [];
    this.#lost.clear();
    this.#lostWithReceiver.clear();
    return rows;
  }

  /**
   * A good answer came over `connection`: what it carried a replay window ago is on the receiver's disk by now.
   * What the answer itself accepted has to be told before.
   */
  answered(connection: number | undefined, closing: boolean): void {
    if (connection === undefined) return;
    const before = this.#options.clock.monotonic() - this.#options.replayWindowMs;
    const adopt = <T extends { readonly connection: number | undefined }>(entry: T): T => ({
      ...entry,
      connection: entry.connection ?? connection,
    });
    const adopted = this.#provisional.map(adopt);
    const isFinal = (entry: Provisional): boolean => entry.connection === connection && entry.acceptedAt <= before;
    this.#confirmed.push(...adopted.filter(isFinal).map(({ rowId }) => rowId));
    const open = adopted.filter((entry) => !isFinal(entry));
    // A close that is announced is no crash: what is still open waits for the next connection's answers.
    const release = <T extends { readonly connection: number | undefined }>(entry: T): T =>
      closing && entry.connection === connection ? { ...entry, connection: undefined } : entry;
    this.#provisional = open.map(release);
    this.#accepted = this.#accepted.map(adopt).map(release);
  }

  /**
   * The connection ended: what it still holds becomes pending again, unless that has happened to it before.
   * Where that cannot be written now, the next commit does it.
   */
  connectionLost(connection: number): ConnectionLoss {
    const held = [...this.#provisional, ...this.#accepted].some((entry) => entry.connection === connection);
    if (this.#options.replayWindowMs === 0 || !held) return { rows: 0, inDoubt: false };
    this.#lost.add(connection);
    const rows = this.commit();
    return { rows, inDoubt: this.#provisional.some((entry) => entry.connection === connection) };
  }

  /**
   * Ends the doubt about what a lost connection held.
   *
   * @param successor the connection over which the receiver answered at once; undefined where it did not
   * @returns how many rows became pending again
   */
  resolveDoubt(connection: number, successor: number | undefined): number {
    if (successor === undefined) {
      this.#lostWithReceiver.add(connection);
      return this.commit();
    }
    this.#provisional = this.#provisional.map((entry) =>
      entry.connection === connection ? { ...entry, connection: successor } : entry,
    );
    this.answered(successor, false);
    return 0;
  }

  /** Whether something waits for another answer of its connection. */
  get hasProvisional(): boolean {
    return this.#provisional.length > 0;
  }

  #write(): Written {
    const nowMs = this.#options.clock.now();
    for (const { ranges, count, lossesMark } of this.#accepted)
      this.#settled.deliver(ranges, lossesMark === undefined ? undefined : { count, lossesMark });
    this.#settled.reject(this.#rejected);
    for (const { batchId, chunkIndex, count } of this.#accepted)
      this.#checkpoint.run(batchId, chunkIndex, nowMs, count);
    this.#forgetCheckpoints.run();
    for (const rowId of this.#confirmed) this.#dropProvisional.run(rowId);
    const provisional = [...this.#provisional, ...this.#writeProvisional(nowMs)];
    const isLost = ({ connection, replayed }: Provisional): boolean =>
      connection !== undefined && (this.#lostWithReceiver.has(connection) || (!replayed && this.#lost.has(connection)));
    const lost = provisional.filter(isLost);
    for (const { rowId } of lost) this.#dropProvisional.run(rowId);
    const replayed = lost.flatMap(({ ranges }) => ranges);
    const rows = replayed.length === 0 ? 0 : this.#settled.unsettle(replayed);
    return { provisional: provisional.filter((entry) => !isLost(entry)), replayed, rows };
  }

  #writeProvisional(nowMs: number): Provisional[] {
    if (this.#options.replayWindowMs === 0) return [];
    const acceptedAt = this.#options.clock.monotonic();
    const connections = new Set(this.#accepted.map(({ connection }) => connection));
    return [...connections].flatMap((connection) => {
      const chunks = this.#accepted.filter((chunk) => chunk.connection === connection);
      const all = merge(chunks.flatMap((chunk) => chunk.ranges));
      const parts = [
        { replayed: false, ranges: subtract(all, this.#replayed) },
        { replayed: true, ranges: intersect(all, this.#replayed) },
      ];
      return parts
        .filter(({ ranges }) => ranges.length > 0)
        .map(({ replayed, ranges }) => {
          const { lastInsertRowid } = this.#saveProvisional.run(nowMs, JSON.stringify(ranges));
          return { rowId: Number(lastInsertRowid), ranges, connection, acceptedAt, replayed };
        });
    });
  }
}
