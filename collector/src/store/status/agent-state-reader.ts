import { statSync } from 'node:fs';

import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { HistogramState } from '@thugshells/shared/metrics/histogram.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

/** The one door of the collector `self`: reads what the programs keep of themselves. */
export class AgentStateReader {
  readonly #databasePath: string;
  readonly #collectors: Statement<[], { collector: string; collected: number; failed: number; durations: string }>;
  readonly #row: Statement<
    [],
    AgentState['books'] & { report: string | null; walCheckpointMs: number | null; walReclaimedBytes: number }
  >;

  constructor(database: Database, databasePath: string) {
    this.#databasePath = databasePath;
    // Of one that is absent on this kernel there is nothing to tell.
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
    const told = report === null ? undefined : (JSON.parse(report) as UploaderReport);
    return {
      collectors: this.#collectors
        .all()
        .map((row) => ({ ...row, durations: JSON.parse(row.durations) as HistogramState })),
      uploads: told?.counts,
      judgement: told?.judgement,
      books,
      databaseBytes: bytesOf(this.#databasePath),
      walBytes: bytesOf(`${this.#databasePath}-wal`),
      walCheckpointMs,
      walReclaimedBytes,
    };
  }
}

/** Only the status is asked: opening the file would drop SQLite's locks. */
function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
