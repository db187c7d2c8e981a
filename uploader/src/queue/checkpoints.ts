import type { Database, Statement } from '@thugshells/shared/database/open.ts';

/** A chunk that was accepted, or the part of it that was. */
export interface Checkpoint {
  readonly batchId: string;
  readonly chunkIndex: number;
  readonly count: number;
}

/** Checkpoints beyond this many are deleted, oldest first. */
const MAX_CHECKPOINTS = 10_000;
/** How many are deleted at a time: a few with each commit would write two more pages each time. */
const CHECKPOINTS_PER_DELETE = 1_000;

/** Writes the table `upload_checkpoints`: which chunks were accepted, and when. */
export class Checkpoints {
  readonly #add: Statement;
  readonly #prune: Statement;

  constructor(database: Database) {
    this.#add = database.prepare(
      `INSERT INTO upload_checkpoints (batch_id, chunk_index, uploaded_at, metric_count) VALUES (?, ?, ?, ?)
       ON CONFLICT (batch_id, chunk_index) DO UPDATE SET metric_count = metric_count + excluded.metric_count`,
    );
    this.#prune = database.prepare(
      `DELETE FROM upload_checkpoints WHERE id <= (SELECT MAX(id) FROM upload_checkpoints) - ${MAX_CHECKPOINTS - CHECKPOINTS_PER_DELETE}
         AND (SELECT MAX(id) FROM upload_checkpoints) - (SELECT MIN(id) FROM upload_checkpoints) >= ${MAX_CHECKPOINTS}`,
    );
  }

  /** Adds chunks that were accepted until `nowMs`, Unix milliseconds, inside the transaction that settles them. */
  add(chunks: readonly Checkpoint[], nowMs: number): void {
    for (const { batchId, chunkIndex, count } of chunks) this.#add.run(batchId, chunkIndex, nowMs, count);
    this.#prune.run();
  }
}
