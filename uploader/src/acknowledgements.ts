import type { Clock } from '@thugshells/shared/clock.js';
import type { Database, Statement } from '@thugshells/shared/database/open.js';

import { merge, type IdRange } from './id-ranges.js';
import type { Rejection, Settled } from './settled.js';

/** A chunk, or the part of one, that the receiver took. */
export interface AcceptedChunk {
  readonly batchId: string;
  readonly chunkIndex: number;
  readonly ranges: readonly IdRange[];
  readonly count: number;
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
}

export interface AcknowledgementsOptions {
  readonly clock: Clock;
  /** How long an acceptance stays provisional; 0 makes it final at once. */
  readonly replayWindowMs: number;
}

/** Checkpoints beyond this many are forgotten, oldest first. */
const KEPT_CHECKPOINTS = 10_000;

/**
 * Gathers what the receiver accepted and commits it in groups: ranges, checkpoints and books in one transaction.
 *
 * VictoriaMetrics answers before it writes to disk. Killed in between, it forgets what it acknowledged, and the only
 * trace is that the connection closed. So an acceptance is provisional until its connection has carried another good
 * answer at least a replay window later; when the connection ends first, its rows become pending again.
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

  constructor(database: Database, settled: Settled, options: AcknowledgementsOptions) {
    this.#database = database;
    this.#settled = settled;
    this.#options = options;
    this.#checkpoint = database.prepare(
      `INSERT INTO upload_checkpoints (batch_id, chunk_index, uploaded_at, metric_count) VALUES (?, ?, ?, ?)
       ON CONFLICT (batch_id, chunk_index) DO UPDATE SET metric_count = metric_count + excluded.metric_count`,
    );
    this.#forgetCheckpoints = database.prepare(
      'DELETE FROM upload_checkpoints WHERE id <= (SELECT MAX(id) FROM upload_checkpoints) - ?',
    );
    this.#saveProvisional = database.prepare('INSERT INTO provisional (accepted_at, ranges) VALUES (?, ?)');
    this.#dropProvisional = database.prepare('DELETE FROM provisional WHERE id = ?');
  }

  /** Makes pending again what an earlier process left provisional: its connections ended with it. */
  recover(): number {
    const rows = this.#database.prepare<[], { ranges: string }>('SELECT ranges FROM provisional').all();
    const ranges = rows.flatMap((row) => JSON.parse(row.ranges) as IdRange[]);
    const recover = this.#database.transaction(() => {
      this.#database.exec('DELETE FROM provisional');
      return this.#options.replayWindowMs > 0 ? this.#settled.unsettle(ranges) : 0;
    });
    return rows.length === 0 ? 0 : recover.immediate();
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

  /** Commits what has gathered; on failure it stays gathered, and nothing of it is sent again. */
  commit(): void {
    if (this.#accepted.length === 0 && this.#rejected.length === 0 && this.#confirmed.length === 0) return;
    const provisional = this.#database.transaction(() => this.#write()).immediate();
    this.#provisional.push(...provisional);
    this.#accepted = [];
    this.#rejected = [];
    this.#confirmed = [];
  }

  /** A good answer came over `connection`: what it carried a replay window ago is on the receiver's disk by now. */
  answered(connection: number | undefined, closing: boolean): void {
    if (connection === undefined) return;
    const before = this.#options.clock.monotonic() - this.#options.replayWindowMs;
    const adopted = this.#provisional.map((entry) => ({ ...entry, connection: entry.connection ?? connection }));
    const isFinal = (entry: Provisional): boolean => entry.connection === connection && entry.acceptedAt <= before;
    this.#confirmed.push(...adopted.filter(isFinal).map(({ rowId }) => rowId));
    const open = adopted.filter((entry) => !isFinal(entry));
    // A close that is announced is no crash: what is still open waits for the next connection's answers.
    this.#provisional = closing
      ? open.map((entry) => (entry.connection === connection ? { ...entry, connection: undefined } : entry))
      : open;
  }

  /** The connection ended: what it still holds becomes pending again. Returns how many rows that were. */
  connectionLost(connection: number): number {
    if (this.#options.replayWindowMs === 0) return 0;
    this.commit();
    const lost = this.#provisional.filter((entry) => entry.connection === connection);
    if (lost.length === 0) return 0;
    const replay = this.#database.transaction(() => {
      for (const { rowId } of lost) this.#dropProvisional.run(rowId);
      return this.#settled.unsettle(lost.flatMap(({ ranges }) => ranges));
    });
    const rows = replay.immediate();
    this.#provisional = this.#provisional.filter((entry) => !lost.includes(entry));
    return rows;
  }

  /** Whether something waits for another answer of its connection. */
  get hasProvisional(): boolean {
    return this.#provisional.length > 0;
  }

  #write(): Provisional[] {
    const nowMs = this.#options.clock.now();
    this.#settled.deliver(this.#accepted.flatMap(({ ranges }) => ranges));
    this.#settled.reject(this.#rejected);
    for (const { batchId, chunkIndex, count } of this.#accepted) this.#checkpoint.run(batchId, chunkIndex, nowMs, count);
    this.#forgetCheckpoints.run(KEPT_CHECKPOINTS);
    for (const rowId of this.#confirmed) this.#dropProvisional.run(rowId);
    return this.#options.replayWindowMs === 0 ? [] : this.#writeProvisional(nowMs);
  }

  #writeProvisional(nowMs: number): Provisional[] {
    const acceptedAt = this.#options.clock.monotonic();
    const connections = new Set(this.#accepted.map(({ connection }) => connection));
    return [...connections].map((connection) => {
      const chunks = this.#accepted.filter((chunk) => chunk.connection === connection);
      const ranges = merge(chunks.flatMap((chunk) => chunk.ranges));
      const { lastInsertRowid } = this.#saveProvisional.run(nowMs, JSON.stringify(ranges));
      return { rowId: Number(lastInsertRowid), ranges, connection, acceptedAt };
    });
  }
}
