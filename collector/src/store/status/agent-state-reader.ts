import { statSync } from 'node:fs';

import { requireRow, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import type { AgentState } from '@thugshells/shared/state/agent-state.ts';
import { readCounters, type StoredCollectorStatus } from '@thugshells/shared/state/collector-status.ts';
import { isAmount, isNullOr, isText, StoredValues } from '@thugshells/shared/state/stored-values.ts';
import { readReportedCounts } from '@thugshells/shared/state/uploader-report.ts';

type StoredCounters = Pick<StoredCollectorStatus, 'collector' | 'collected' | 'failed' | 'durations'>;
type StoredState = AgentState['books'] & {
  readonly report: unknown;
  readonly walCheckpointMs: unknown;
  readonly walReclaimedBytes: unknown;
  readonly boots: unknown;
  readonly uncleanBoots: unknown;
  readonly lastClean: unknown;
};

/** Reads the state that both programs keep in the database, for the collector `self`. */
export class AgentStateReader {
  readonly #databasePath: string;
  readonly #collectors: Statement<[], StoredCounters>;
  readonly #row: Statement<[], StoredState>;
  readonly #collectorValues: StoredValues;
  readonly #uploaderValues: StoredValues;
  readonly #storageValues: StoredValues;
  readonly #bootValues: StoredValues;

  constructor(database: Database, databasePath: string, logger: Logger = silentLogger) {
    this.#databasePath = databasePath;
    this.#collectorValues = new StoredValues('collector_status', logger);
    this.#uploaderValues = new StoredValues('uploader_state', logger);
    this.#storageValues = new StoredValues('storage_state', logger);
    this.#bootValues = new StoredValues('boots', logger);
    // A collector that is absent on this kernel has nothing to report.
    this.#collectors = database.prepare(
      `SELECT collector, collected, failed, durations FROM collector_status WHERE status <> 'absent' ORDER BY collector`,
    );
    this.#row = database.prepare(
      `SELECT collected - delivered - rejected - dropped AS pending, rejected, dropped, report,
         wal_checkpoint_ms AS walCheckpointMs, wal_reclaimed_bytes AS walReclaimedBytes,
         boots.counted AS boots, boots.unclean AS uncleanBoots, boots.last_clean AS lastClean
       FROM collector_state, uploader_state, storage_state LEFT JOIN boots`,
    );
  }

  read(): AgentState {
    const { report, walCheckpointMs, walReclaimedBytes, boots, uncleanBoots, lastClean, ...books } = requireRow(
      this.#row.get(),
      'collector_state, uploader_state or storage_state',
    );
    const parsed = readReportedCounts(report, this.#uploaderValues);
    const storage = this.#storageValues;
    return {
      collectors: this.#readCollectors(),
      uploads: parsed?.counts,
      judgement: parsed?.judgement,
      verification: parsed?.verification,
      books,
      boots: this.#readBoots({ boots, uncleanBoots, lastClean }),
      databaseBytes: readSize(this.#databasePath),
      walBytes: readSize(`${this.#databasePath}-wal`),
      walCheckpointMs: storage.read({ column: 'wal_checkpoint_ms' }, walCheckpointMs, isNullOr(isAmount), null),
      walReclaimedBytes: storage.read({ column: 'wal_reclaimed_bytes' }, walReclaimedBytes, isAmount, 0),
    };
  }

  #readBoots({ boots, uncleanBoots, lastClean }: Pick<StoredState, 'boots' | 'uncleanBoots' | 'lastClean'>) {
    const counted = this.#bootValues.read({ column: 'counted' }, boots ?? 0, isAmount, 0);
    const unclean = this.#bootValues.read({ column: 'unclean' }, uncleanBoots ?? 0, isAmount, 0);
    const clean = this.#bootValues.read({ column: 'last_clean' }, lastClean, isNullOr(isAmount), null);
    return counted === 0 ? undefined : { counted, unclean, wasLastClean: clean === null ? null : clean === 1 };
  }

  #readCollectors(): AgentState['collectors'] {
    return this.#collectors
      .all()
      .flatMap(({ collector, ...row }) =>
        isText(collector) ? [{ collector, ...readCounters({ collector, ...row }, this.#collectorValues) }] : [],
      );
  }
}

/** Returns a file's size by stat(): opening and closing it would release SQLite's POSIX locks. */
function readSize(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
