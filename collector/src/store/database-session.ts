import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { Notify } from '@thugshells/shared/process/systemd.ts';

import { AgentStateReader } from './status/agent-state-reader.ts';
import { ClockEpochs } from './clock/clock-epochs.ts';
import { CollectorStatusTable } from './status/collector-status.ts';
import { SampleWriter } from './writing/sample-writer.ts';
import { openSession, type SessionMetadata } from './writing/sessions.ts';
import { WalCheckpointer } from './space/wal-checkpointer.ts';
import { fitToLimit } from './space/fit-to-limit.ts';
import { finishInterruptedReplacement, pruneCorruptDatabases, createReplacement } from './recovery/replace-database.ts';
import { findCorruption } from './recovery/integrity.ts';
import { Ledger } from './space/ledger.ts';
import { Retention } from './space/retention.ts';
import { Salvage } from './recovery/salvage.ts';
import { SalvageTable } from './recovery/salvage-progress.ts';
import { SalvageQueue } from './recovery/salvage-queue.ts';
import { setNewerDatabaseAside } from './recovery/set-aside.ts';
import type { SpaceLimits } from './space/limits.ts';
import { StorageStateTable } from './status/storage-state.ts';
import { classifyStorageError } from './recovery/storage-errors.ts';
import { queueSetAsideImports } from './recovery/set-aside-import.ts';

export interface DatabaseSessionOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dbPath: string;
  readonly limits: SpaceLimits;
  readonly session: { readonly id: string; readonly startedAtMs: number; readonly metadata: SessionMetadata };
  readonly builtAtMs: number;
  readonly syncIntervalMs: number;
  readonly walCheckpointIntervalMs: number;
  readonly retentionMs: number;
  /** Tells systemd, for a migration takes its time. */
  readonly notify?: Notify;
}

/** A database with every room that works on it; all of them end with it. */
export interface DatabaseSession {
  readonly database: Database;
  readonly epochs: ClockEpochs;
  readonly agent: AgentStateReader;
  readonly ledger: Ledger;
  readonly statuses: CollectorStatusTable;
  readonly writer: SampleWriter;
  readonly wal: WalCheckpointer;
  readonly retention: Retention;
  readonly states: StorageStateTable;
  readonly closeSession: (nowMs: number) => void;
  readonly salvages: SalvageQueue;
}

/** How long rows of a damaged database are copied before the first scrape; the rest follows beside the collection. */
const SALVAGE_FIRST_MS = 1_500;

/**
 * Opens the database, made where it is missing, migrated, and, where it is damaged, replaced by a new one; one that a
 * newer program has migrated is set aside.
 *
 * @param damage what is known to be wrong with it
 * @throws AgentError as prepareDatabase() does
 */
export function openDatabaseSession(options: DatabaseSessionOptions, damage?: string): DatabaseSession {
  const { dbPath, logger } = options;
  finishInterruptedReplacement(dbPath);
  setNewerDatabaseAside(options);
  const { database, corruption } = damage === undefined ? openSound(options) : { corruption: damage };
  if (database !== undefined) return startSession(database, options);
  logger.error('database corrupt, rebuilding', {
    path: dbPath,
    error: corruption,
  });
  replace(options);
  return startSession(prepareDatabase(dbPath, logger), options);
}

/** Ends the session, moves the WAL into the database and closes it; what fails of that is logged. */
export function closeDatabaseSession(
  { closeSession, wal, database }: DatabaseSession,
  { clock, logger }: Pick<DatabaseSessionOptions, 'clock' | 'logger'>,
): void {
  try {
    closeSession(clock.now());
    wal.checkpoint();
  } catch (error) {
    // Everything that was committed stands; the next start ends the session and moves the WAL.
    logger.error('cannot close the database cleanly', toErrorFields(error));
  }
  database.close();
}

/** The database as it is, or what is wrong with it. */
function openSound({ dbPath, logger, notify }: DatabaseSessionOptions): {
  readonly database?: Database;
  readonly corruption?: string;
} {
  try {
    const corruption = findCorruption(dbPath);
    return corruption === undefined ? { database: prepareDatabase(dbPath, logger, notify) } : { corruption };
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return { corruption: toErrorMessage(error) };
  }
}

function replace({ dbPath, clock, logger, builtAtMs }: DatabaseSessionOptions): void {
  // To find the series of a file that SQLite refuses takes seconds of its own.
  const until = clock.monotonic() + SALVAGE_FIRST_MS;
  const { database, install } = createReplacement({ databasePath: dbPath, logger, nowMs: clock.now() });
  const epochs = new ClockEpochs(database, { clock, logger, bootId: undefined, builtAtMs });
  const [progress] = new SalvageTable(database).all();
  const salvage = new Salvage(database, progress!, {
    clock,
    logger,
    epochs,
    ledger: new Ledger(database),
    databasePath: dbPath,
    path: dbPath,
  });
  while (clock.monotonic() < until && salvage.step()) continue;
  salvage.close();
  install();
}

function startSession(database: Database, options: DatabaseSessionOptions): DatabaseSession {
  const { clock, logger, dbPath, limits, session, builtAtMs } = options;
  try {
    const closeSession = openSession(database, {
      id: session.id,
      nowMs: session.startedAtMs,
      metadata: session.metadata,
    });
    const epochs = new ClockEpochs(database, { clock, logger, bootId: session.metadata.bootId, builtAtMs });
    const ledger = new Ledger(database);
    const statuses = new CollectorStatusTable(database);
    const wal = new WalCheckpointer(database, { ...options, walBytes: limits.walBytes });
    const retention = new Retention(database, { ...options, ledger, usedBytes: limits.usedBytes });
    fitToLimit(database, limits.databaseBytes, { retention, wal, logger });
    queueSetAsideImports(database, options);
    const salvages = new SalvageQueue(database, { ...options, epochs, ledger, databasePath: dbPath });
    if (!salvages.isCopying) pruneCorruptDatabases(dbPath, limits.maxBytes);
    return {
      database,
      epochs,
      agent: new AgentStateReader(database, dbPath),
      ledger,
      statuses,
      writer: new SampleWriter(database, { ...options, epochs, ledger, statuses }),
      wal,
      retention,
      states: new StorageStateTable(database),
      closeSession,
      salvages,
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
