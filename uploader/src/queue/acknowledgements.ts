import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { isLocked, isWriteLockFree } from '@thugshells/shared/database/write-lock.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import { isRangeList, parseStored } from '@thugshells/shared/state/stored-values.ts';

import { Checkpoints } from './checkpoints.ts';
import type { PendingRowsVersion } from './pending-rows-version.ts';
import { completeCommit, hasChanges, isRequeueing, planCommit } from './replay-commit.ts';
import { createReplayWindow, type AcceptedChunk, type ReplayWindow } from './replay-state.ts';
import { applyAnswer, applyResponse, applySign, findNextQuestion, type GoodResponse } from './replay-window.ts';
import type { RestartAnswer, RestartSign } from './restart-signs.ts';
import type { RejectedRow, SettledRanges } from './settled-ranges.ts';

/** A chunk, or the part of one, that the receiver accepted. */
export interface AcknowledgedChunk extends AcceptedChunk {
  readonly batchId: string;
  readonly chunkIndex: number;
  /** The version at which its rows were counted; undefined if they have to be counted again. */
  readonly pendingRowsVersion?: PendingRowsVersion;
}

export interface AcknowledgementsOptions {
  readonly clock: Clock;
  readonly logger?: Logger;
  /** Milliseconds for which an acceptance stays provisional; 0 makes it final at once. */
  readonly replayWindowMs: number;
  /** Shortest time between two questions since when the receiver runs; 0, the default: it is never asked. */
  readonly questionIntervalMs?: number;
}

/** What a transaction left behind. */
interface Written {
  readonly window: ReplayWindow<AcknowledgedChunk>;
  readonly requeued: number;
}

/** Samples that may be acknowledged in memory while the database is locked; after a kill they are sent again. */
const MAX_UNCOMMITTED = 100_000;

/**
 * Commits what the receiver accepted and rejected in groups: settled ranges, checkpoints, books and the rows of the
 * replay window in one transaction.
 */
export class Acknowledgements {
  readonly #database: Database;
  readonly #settled: SettledRanges;
  readonly #options: AcknowledgementsOptions;
  readonly #checkpoints: Checkpoints;
  readonly #saveProvisional: Statement;
  readonly #dropProvisional: Statement<[number]>;
  #window: ReplayWindow<AcknowledgedChunk>;
  #rejected: RejectedRow[] = [];
  /** What recover() still has to write. */
  #recovery: { readonly ranges: readonly IdRange[] } | undefined;
  /** Since when another program holds the write lock, by the monotonic clock; undefined if the last commit went through. */
  #lockedSince: number | undefined;

  constructor(database: Database, settled: SettledRanges, options: AcknowledgementsOptions) {
    this.#database = database;
    this.#settled = settled;
    this.#options = options;
    this.#window = this.#createWindow([]);
    this.#checkpoints = new Checkpoints(database);
    this.#saveProvisional = database.prepare('INSERT INTO provisional (accepted_at, ranges) VALUES (?, ?)');
    this.#dropProvisional = database.prepare('DELETE FROM provisional WHERE id = ?');
  }

  /**
   * Requeues what an earlier process left provisional: its connections ended with it. If a row of that is unreadable,
   * anything that was delivered may be what it named: all delivered rows that are still stored are requeued, because what is
   * sent twice is the same sample, and what is not sent again may be lost. Joins the ranges of settled ids between which the
   * collector's deletions have left no row. While the database is locked, the next commit does it first.
   *
   * @returns how many rows became pending again
   */
  recover(): number {
    const { replayWindowMs, logger } = this.#options;
    const rows = this.#database.prepare<[], unknown>('SELECT ranges FROM provisional').pluck().all();
    const known = rows.map((stored) => parseStored(stored, isRangeList));
    const unreadable = known.filter((each) => each === undefined).length;
    const ranges = unreadable > 0 ? this.#settled.readRanges() : known.flatMap((each) => each ?? []);
    if (unreadable > 0 && replayWindowMs > 0)
      logger?.error('provisional rows unreadable, requeueing all delivered', { count: unreadable });
    this.#window = this.#createWindow(ranges);
    this.#recovery = { ranges };
    return this.#unlessLocked(() => this.#finishRecovery()) ?? 0;
  }

  /** Adds what a good response accepted; the response confirms what its connection carried a replay window ago. */
  recordResponse(response: GoodResponse<AcknowledgedChunk>): void {
    this.#window = applyResponse(this.#window, response, this.#options.clock.sinceBoot());
  }

  /** Adds rows that were rejected. */
  reject(rejections: readonly RejectedRow[]): void {
    this.#rejected.push(...rejections);
  }

  /** Returns the ids that are accepted or rejected but not committed yet. */
  listUncommitted(): IdRange[] {
    return merge([
      ...this.#window.accepted.flatMap(({ chunk }) => chunk.ranges),
      ...this.#rejected.map(({ id }): IdRange => [id, id]),
    ]);
  }

  /**
   * Commits everything since the last commit; if that fails, the next one writes it, and nothing of it is sent again. While
   * another program holds the write lock nothing is committed, and `lockedForMs` has a value.
   *
   * @returns how many rows became pending again because the receiver may have lost them
   */
  commit(): number {
    const isNothing = !hasChanges(this.#window) && this.#rejected.length === 0;
    if (isNothing && this.#recovery === undefined) return 0;
    return (
      this.#unlessLocked(() => {
        this.#finishRecovery();
        const { window, requeued } = this.#database.transaction(() => this.#write()).immediate();
        this.#window = window;
        this.#rejected = [];
        return requeued;
      }) ?? 0
    );
  }

  /** For how long commits have met another program's lock, in milliseconds; undefined while they meet none. */
  get lockedForMs(): number | undefined {
    return this.#lockedSince === undefined ? undefined : this.#options.clock.monotonic() - this.#lockedSince;
  }

  /** Whether no more may be acknowledged before the next commit: memory is bounded. */
  get isFull(): boolean {
    return this.countUncommitted() >= MAX_UNCOMMITTED;
  }

  /** Counts the samples that are accepted or rejected but not committed yet. */
  countUncommitted(): number {
    return this.#window.accepted.reduce((sum, { chunk }) => sum + chunk.count, this.#rejected.length);
  }

  /**
   * Applies a sign that the receiver may have been restarted. What cannot be requeued now, the next commit requeues.
   *
   * @returns how many rows became pending again
   */
  applySign(sign: RestartSign): number {
    this.#window = applySign(this.#window, sign, this.#options.clock.sinceBoot());
    return this.#commitRequeued();
  }

  /** Returns when the receiver is to be asked since when it runs, in milliseconds since boot; undefined if nothing is in doubt. */
  findNextQuestion(): number | undefined {
    return findNextQuestion(this.#window);
  }

  /**
   * Applies the answer to that question.
   *
   * @param askedAtMs milliseconds since boot
   * @returns how many rows became pending again
   */
  applyAnswer(answer: RestartAnswer, askedAtMs: number): number {
    this.#window = applyAnswer(this.#window, answer, { askedAtMs, nowMs: this.#options.clock.sinceBoot() });
    return this.#commitRequeued();
  }

  /** Whether another response could confirm something. */
  get hasProvisional(): boolean {
    return this.#window.provisional.length > 0;
  }

  /** Writes; returns undefined while another program holds the write lock, which is waited for only the first time. */
  #unlessLocked<T>(write: () => T): T | undefined {
    if (this.#lockedSince !== undefined && !isWriteLockFree(this.#database)) return undefined;
    try {
      const result = write();
      this.#lockedSince = undefined;
      return result;
    } catch (error) {
      if (!isLocked(error)) throw error;
      this.#lockedSince ??= this.#options.clock.monotonic();
      return undefined;
    }
  }

  #finishRecovery(): number {
    if (this.#recovery === undefined) return 0;
    const { ranges } = this.#recovery;
    const isReplaying = this.#options.replayWindowMs > 0;
    const recover = this.#database.transaction(() => {
      this.#database.exec('DELETE FROM provisional');
      const requeued = isReplaying ? this.#settled.requeueDelivered(ranges) : 0;
      this.#settled.compact();
      return requeued;
    });
    const requeued = recover.immediate();
    this.#recovery = undefined;
    return requeued;
  }

  #createWindow(requeued: readonly IdRange[]): ReplayWindow<AcknowledgedChunk> {
    const { replayWindowMs: lengthMs, questionIntervalMs = 0 } = this.#options;
    return createReplayWindow({ lengthMs, questionIntervalMs }, requeued);
  }

  #commitRequeued(): number {
    return isRequeueing(this.#window) ? this.commit() : 0;
  }

  #write(): Written {
    const chunks = this.#window.accepted.map(({ chunk }) => chunk);
    const nowMs = this.#options.clock.now();
    for (const { ranges, count, pendingRowsVersion } of chunks)
      this.#settled.deliver(ranges, pendingRowsVersion === undefined ? undefined : { count, pendingRowsVersion });
    this.#settled.reject(this.#rejected);
    this.#checkpoints.add(chunks, nowMs);
    const plan = planCommit(this.#window);
    const acceptedAtMs = this.#options.clock.sinceBoot();
    const saved = plan.save.map((group) => {
      const { lastInsertRowid } = this.#saveProvisional.run(nowMs, JSON.stringify(group.ranges));
      return { ...group, acceptedAtMs, rowId: Number(lastInsertRowid) };
    });
    for (const rowId of plan.drop) this.#dropProvisional.run(rowId);
    const requeued = plan.requeue.length === 0 ? 0 : this.#settled.requeueDelivered(plan.requeue);
    return { window: completeCommit(this.#window, plan, saved), requeued };
  }
}
