import type { Clock } from '@thugshells/shared/clock.ts';
import { FileWatch } from '@thugshells/shared/database/file-watch.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { prepareDatabase } from '@thugshells/shared/database/prepare.ts';
import { toErrorMessage } from '@thugshells/shared/errors.ts';
import type { Journal } from '@thugshells/shared/logging/journal.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { Notify } from '@thugshells/shared/process/systemd.ts';

import { AgentStateReader } from './status/agent-state-reader.ts';
import { ClockEpochs } from './clock/clock-epochs.ts';
import { CollectorStatusTable } from './status/collector-status.ts';
import { JournalTable } from './status/journal-table.ts';
import { SampleWriter } from './writing/sample-writer.ts';
import { openSession, type SessionMetadata } from './writing/sessions.ts';
import { WalCheckpointer } from './space/wal-checkpointer.ts';
import { shrinkDatabase } from './space/shrink-database.ts';
import { finishInterruptedDatabaseMove } from './recovery/database-move.ts';
import { pruneKeptDatabases, setAsideForeign } from './recovery/kept-databases.ts';
import { AccountKeeper, type KnownAccount } from './recovery/known-account.ts';
import { findOverwritten } from './recovery/overwritten-database.ts';
import { finishInterruptedReplacement, createReplacement } from './recovery/replace-database.ts';
import { findCorruption, type StartCheck } from './recovery/integrity.ts';
import { Ledger } from './space/ledger.ts';
import { Eviction } from './space/eviction.ts';
import { Salvage } from './recovery/salvage.ts';
import { SalvageTable } from './recovery/salvage-progress.ts';
import { SalvageQueue } from './recovery/salvage-queue.ts';
import { setNewerDatabaseAside } from './recovery/set-aside.ts';
import type { SpaceLimits } from './space/limits.ts';
import { StorageStateTable } from './status/storage-state.ts';
import { classifyStorageError } from './recovery/storage-errors.ts';
import { queueSetAsideImports } from './recovery/set-aside-import.ts';

export interface DatabaseSessionOptions {
  /** Remembers that a check found no corruption while the database cannot be opened; without it each attempt checks. */
  readonly startCheck?: StartCheck;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The warnings and errors of this process, behind `logger`. */
  readonly journal: Journal;
  readonly dbPath: string;
  readonly limits: SpaceLimits;
  readonly session: { readonly id: string; readonly startedAtMs: number; readonly metadata: SessionMetadata };
  readonly builtAtMs: number;
  readonly syncIntervalMs: number;
  readonly walCheckpointIntervalMs: number;
  readonly retentionMs: number;
  /** Reports progress to systemd during a migration, which may take minutes. */
  readonly notify?: Notify;
}

/** An open database with the modules that work on it; they are closed with it. */
export interface DatabaseSession {
  readonly database: Database;
  readonly epochs: ClockEpochs;
  readonly agent: AgentStateReader;
  readonly ledger: Ledger;
  readonly statuses: CollectorStatusTable;
  readonly journal: JournalTable;
  readonly writer: SampleWriter;
  readonly wal: WalCheckpointer;
  readonly eviction: Eviction;
  readonly states: StorageStateTable;
  readonly closeSession: (nowMs: number) => void;
  readonly salvages: SalvageQueue;
  readonly files: FileWatch;
  readonly account: AccountKeeper;
}

/** What is known of a database that is opened again. */
export interface KnownDatabase {
  /** What an error or a check has found. */
  readonly corruption?: string | undefined;
  /** Its account while it was open. */
  readonly account?: KnownAccount | undefined;
  /** Whether the WAL beside it is not what SQLite wrote: then the file is read without it. */
  readonly isWalLost?: boolean | undefined;
}

/** How long rows of a corrupt database are copied before the first scrape; the rest is copied between scrapes. */
const SALVAGE_FIRST_MS = 1_500;

/**
 * Opens the database: creates it if it is missing, migrates it, replaces it by a new one if it is corrupt or older than what
 * is known of it, and sets it aside if a newer program has migrated it.
 *
 * @throws AgentError as prepareDatabase() does
 */
export function openDatabaseSession(options: DatabaseSessionOptions, known: KnownDatabase = {}): DatabaseSession {
  const { dbPath, logger, clock } = options;
  finishInterruptedReplacement(dbPath);
  finishInterruptedDatabaseMove(dbPath, clock.now());
  if (known.isWalLost === true) setAsideForeign(dbPath, clock.now(), ['-wal', '-shm']);
  setNewerDatabaseAside(options);
  const found =
    (known.account && findOverwritten(known.account, { dbPath, logger, nowMs: clock.now() })) ?? known.corruption;
  const opened = found === undefined ? openSound(options) : { corruption: found };
  if (opened.session !== undefined) {
    options.startCheck?.end();
    return opened.session;
  }
  logger.error('database corrupt, rebuilding', { path: dbPath, error: opened.corruption });
  replace(options, known.account);
  return startSession(prepareDatabase(dbPath, logger), options);
}

/** Ends the session with its last warnings and errors, checkpoints the WAL and closes the database; a failure is logged. */
export function closeDatabaseSession(
  { closeSession, journal, wal, database }: DatabaseSession,
  { clock, logger }: Pick<DatabaseSessionOptions, 'clock' | 'logger'>,
): void {
  try {
    const end = database.transaction(() => {
      closeSession(clock.now());
      journal.saveAll();
    });
    end.immediate();
    wal.checkpoint();
  } catch (error) {
    // Committed rows are safe; the next start ends the session and checkpoints the WAL.
    logger.error('cannot close the database cleanly', toErrorFields(error));
  }
  database.close();
}

/** Opens the database and begins the session, or returns how it is corrupt. */
function openSound(options: DatabaseSessionOptions): {
  readonly session?: DatabaseSession;
  readonly corruption?: string;
} {
  const { dbPath, logger, notify, startCheck } = options;
  try {
    const corruption = startCheck === undefined ? findCorruption(dbPath) : startCheck.find(dbPath);
    if (corruption !== undefined) return { corruption };
    return { session: startSession(prepareDatabase(dbPath, logger, notify), options) };
  } catch (error) {
    if (classifyStorageError(error) !== 'corrupt') throw error;
    return { corruption: toErrorMessage(error) };
  }
}

function replace({ dbPath, clock, logger, builtAtMs }: DatabaseSessionOptions, known: KnownAccount | undefined): void {
  // The time counts from here: finding the series of a file that SQLite refuses takes seconds too.
  const until = clock.monotonic() + SALVAGE_FIRST_MS;
  const { database, install } = createReplacement({ databasePath: dbPath, logger, nowMs: clock.now(), known });
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
    const statuses = new CollectorStatusTable(database, logger);
    const journal = new JournalTable(database, options);
    const files = new FileWatch(dbPath, database);
    const wal = new WalCheckpointer(database, { ...options, walBytes: limits.walBytes, files });
    const eviction = new Eviction(database, { ...options, epochs, ledger, usedBytes: limits.usedBytes });
    files.whileWriting(() => shrinkDatabase(database, limits.databaseBytes, { eviction, wal, logger }));
    queueSetAsideImports(database, options);
    const salvages = new SalvageQueue(database, { ...options, epochs, ledger, databasePath: dbPath });
    if (!salvages.isCopying) pruneKeptDatabases(dbPath, limits.maxBytes);
    return {
      database,
      epochs,
      agent: new AgentStateReader(database, dbPath, logger),
      ledger,
      statuses,
      journal,
      writer: new SampleWriter(database, { ...options, epochs, ledger, statuses, journal }),
      wal,
      eviction,
      states: new StorageStateTable(database),
      closeSession,
      salvages,
      files,
      account: new AccountKeeper(database),
    };
  } catch (error) {
    database.close();
    throw error;
  }
}
