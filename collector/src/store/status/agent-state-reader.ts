import { statSync } from 'node:fs';

import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { HistogramState } from '@thugshells/shared/metrics/histogram.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

/** Reads the state that both programs keep in the database, for the collector `self`. */
export class AgentStateReader {
  readonly #databasePath: string;
  readonly #collectors: Statement<[], { collector: string; collected: number; failed: number; durations: string }>;
  readonly #row: Statement<
    [],
    AgentState['books'] & { report: string | null; walCheckpointMs: number | null; walReclaimedBytes: number }
  >;

  constructor(database: Database, databasePath: string) {
    this.#databasePath = databasePath;
    // A collector that is absent on this kernel has nothing to report.
    this.#collectors = database.prepare(
      `SELECT collector, collected, failed, durations FROM collector_status WHERE status <> 'absent' ORDER BY collector`,
    );
    this.#row = database.prepare(
      `SELECT collected - delivered - rejected - dropped AS pending, rejected, dropped, report,
         wal_checkpoint_ms AS walCheckpointMs, wal_reclaimed_bytes AS walReclaimedBytes
       FROM collector_state, uploader_state, storage_state`,
    );
  }

  read(): AgentState {
    const { report, walCheckpointMs, walReclaimedBytes, ...books } = this.#row.get()!;
    const parsed = report === null ? undefined : (JSON.parse(report) as UploaderReport);
    return {
      collectors: this.#collectors
        .all()
        .map((row) => ({ ...row, durations: JSON.parse(row.durations) as HistogramState })),
      uploads: parsed?.counts,
      judgement: parsed?.judgement,
      books,
      databaseBytes: readSize(this.#databasePath),
      walBytes: readSize(`${this.#databasePath}-wal`),
      walCheckpointMs,
      walReclaimedBytes,
    };
  }
}

/** Returns a file's size by stat(): opening and closing it would release SQLite's POSIX locks. */
function readSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
