import { toErrorFields } from '@thugshells/shared/logging/logger.ts';

import { DatabaseGuard } from './database-guard.ts';
import { closeDatabaseSession, openDatabaseSession } from './database-session.ts';
import type { DatabaseSession, DatabaseSessionOptions, KnownDatabase } from './database-session.ts';
import { Maintenance, MAINTENANCE_INTERVAL_MS, type MaintenanceOptions } from './maintenance.ts';
import type { KnownAccount } from './recovery/known-account.ts';
import { findDatabase, findFailure, nextState } from './store-state.ts';
import type { OpenDatabase, StorageFailure, StoreEvent, StoreState } from './store-state.ts';

export interface DatabaseHolderOptions extends DatabaseSessionOptions, MaintenanceOptions {
  /** Called with each database that is opened. */
  readonly onOpened: (session: DatabaseSession) => void;
}

/** Minimum between two rebuilds: on a card that corrupts new databases too, more of them would not help. */
const REBUILD_INTERVAL_MS = 60_000;
/** How often it is looked whether a database has been copied to its place again. */
const MOVING_INTERVAL_MS = 70;

/**
 * Holds the database that is open, and opens another one in its place when it is corrupt or its files were replaced.
 * store-state.ts has the states and transitions, database-guard.ts those of the files.
 */
export class DatabaseHolder {
  readonly #options: DatabaseHolderOptions;
  #state: StoreState = { name: 'unopened' };
  #rebuiltAt = -Infinity;
  /** The account of the database when that was last read. */
  #account: KnownAccount | undefined;

  constructor(options: DatabaseHolderOptions) {
    this.#options = options;
    options.journal.onSaveNow(() => {
      if (!this.isDisturbed) this.session?.journal.saveNow();
    });
  }

  get state(): StoreState {
    return this.#state;
  }

  get database(): OpenDatabase | undefined {
    return findDatabase(this.#state);
  }

  get session(): DatabaseSession | undefined {
    return this.database?.session;
  }

  get failure(): StorageFailure | undefined {
    return findFailure(this.#state);
  }

  /** Milliseconds until the next tick of the store. */
  get intervalMs(): number {
    const { guard, maintenance } = this.database ?? {};
    return guard?.isMoving === true ? MOVING_INTERVAL_MS : (maintenance?.intervalMs ?? MAINTENANCE_INTERVAL_MS);
  }

  /** Whether other programs have changed the files of the database, so that nothing may be written to it. */
  get isDisturbed(): boolean {
    return this.database?.guard.isDisturbed === true;
  }

  apply(event: StoreEvent): void {
    this.#state = nextState(this.#state, event);
  }

  /**
   * Opens the database, for the first time or again.
   *
   * @throws AgentError as openDatabaseSession() does
   */
  open(known: Omit<KnownDatabase, 'account'> = {}): DatabaseSession {
    const session = openDatabaseSession(this.#options, { ...known, account: this.#account });
    const maintenance = new Maintenance(session, this.#options);
    const guard = new DatabaseGuard(session, this.#options);
    this.apply({ type: 'opened', database: { session, maintenance, guard } });
    this.#options.onOpened(session);
    this.remember();
    return session;
  }

  /** Remembers the account of the open database. */
  remember(): void {
    this.#account = this.session?.account.read() ?? this.#account;
  }

  /** Replaces a corrupt database by a new one, once a minute at most; returns whether one is open. */
  rebuild(corruption: string, isWalLost = false): boolean {
    const { clock } = this.#options;
    if (clock.monotonic() - this.#rebuiltAt < REBUILD_INTERVAL_MS) return false;
    this.#rebuiltAt = clock.monotonic();
    return this.#replace({ type: 'corruption found' }, { corruption, isWalLost });
  }

  /** Does what the guard of the files asks for; returns the error if it could not be done, and is tried again. */
  followGuard(): unknown {
    const result = this.database?.guard.follow();
    if (result?.next === 'reopen') this.#replace({ type: 'files replaced' });
    else if (result?.next === 'rebuild') this.rebuild(result.corruption, result.isWalLost);
    return result?.next === 'retry' ? result.error : undefined;
  }

  /** Ends what the guard of the files has begun, for a program that ends. */
  finishDisturbance(): void {
    if (!this.isDisturbed) return;
    try {
      this.database?.guard.finishNow();
      this.#replace({ type: 'files replaced' });
    } catch (error) {
      const { logger, dbPath } = this.#options;
      logger.error('cannot restore the database', { path: dbPath, ...toErrorFields(error) });
    }
  }

  /** Ends the session and closes the database. */
  close(): void {
    const { database } = this;
    this.apply({ type: 'closed' });
    database?.maintenance.stop();
    database?.guard.stop();
    if (database !== undefined) closeDatabaseSession(database.session, this.#options);
  }

  #replace(event: StoreEvent, known?: Omit<KnownDatabase, 'account'>): boolean {
    const { database } = this;
    this.apply(event);
    try {
      database?.maintenance.stop();
      database?.guard.stop();
      database?.session.database.close();
      this.open(known);
      return true;
    } catch (error) {
      const { logger, dbPath } = this.#options;
      logger.error('cannot create a new database', { path: dbPath, ...toErrorFields(error) });
      return false;
    }
  }
}
