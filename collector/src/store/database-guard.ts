import type { Clock } from '@thugshells/shared/clock.ts';
import type { Disturbance } from '@thugshells/shared/database/file-watch.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';

import type { DatabaseSession } from './database-session.ts';
import { BackgroundCheck } from './recovery/background-check.ts';
import { DatabaseMove } from './recovery/database-move.ts';

export interface DatabaseGuardOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly dbPath: string;
  /** The built integrity-worker. */
  readonly checkWorkerFile: string;
}

/** What the store has to do about the files of its database. */
export type GuardResult =
  /** The files are right again: close the database and open it anew. */
  | { readonly next: 'reopen' }
  /** What was written to the file has damaged it. */
  | { readonly next: 'rebuild'; readonly corruption: string; readonly isWalLost?: boolean }
  /** Buffer; it is tried again. */
  | { readonly next: 'retry'; readonly error: unknown };

/** A file that is being written to is looked at when it has been quiet for this long. */
const QUIET_MS = 1_000;
const RETRY_INTERVAL_MS = 5_000;
const HINT =
  'leave the files of the database to the collector while it runs; docs/storage.md, “Files that are taken away”';

/**
 * Guards the files of an open database against other programs.
 *
 *   watching    they are the ones that are open
 *     one is gone or replaced          → moving
 *     the database is written to       → settling
 *     the WAL is cut                   → cut
 *   moving      the open database is being copied to a new file; then the store opens that
 *     the copying fails                → waiting
 *   waiting     for the next attempt   → moving
 *   settling    until the file has been quiet for a second
 *     one is gone or replaced          → moving
 *     a WAL checkpoint explains it     → watching
 *     quiet                            → checking
 *   checking    the file is checked on a thread; then the store opens it anew, or rebuilds it
 *   cut         the store rebuilds the database without the WAL
 *
 * In every state but `watching` nothing may be written to the database.
 */
type GuardState =
  | { readonly name: 'watching' }
  | { readonly name: 'moving'; readonly move: DatabaseMove }
  | { readonly name: 'waiting'; readonly untilMs: number }
  | { readonly name: 'settling'; readonly sinceMs: number }
  | { readonly name: 'checking'; readonly check: BackgroundCheck }
  | { readonly name: 'cut' };

export class DatabaseGuard {
  readonly #session: Pick<DatabaseSession, 'database' | 'files'>;
  readonly #options: DatabaseGuardOptions;
  #state: GuardState = { name: 'watching' };

  constructor(session: Pick<DatabaseSession, 'database' | 'files'>, options: DatabaseGuardOptions) {
    this.#session = session;
    this.#options = options;
  }

  /** Whether nothing may be written to the database; looks at its files. */
  get isDisturbed(): boolean {
    if (this.#state.name !== 'watching') return true;
    const disturbance = this.#session.files.look();
    if (disturbance !== undefined) this.#begin(disturbance);
    return disturbance !== undefined;
  }

  /** Whether the database is being copied to its place. */
  get isMoving(): boolean {
    return this.#state.name === 'moving';
  }

  /** Goes on with what was begun; returns what the store has to do, if that has come to an end. */
  follow(): GuardResult | undefined {
    if (!this.isDisturbed) return undefined;
    const state = this.#state;
    switch (state.name) {
      case 'watching':
        return undefined;
      case 'moving':
        return this.#followMove(state.move);
      case 'waiting':
        if (this.#options.clock.monotonic() >= state.untilMs) this.#move();
        return undefined;
      case 'settling':
        this.#followWrites(state.sinceMs);
        return undefined;
      case 'checking':
        return this.#followCheck(state.check);
      case 'cut':
        return { next: 'rebuild', corruption: 'the WAL was cut', isWalLost: true };
    }
  }

  /** For a program that ends: writes the open database to its place, if its files were taken away. */
  finishNow(): void {
    const state = this.#state;
    if (state.name !== 'moving' && state.name !== 'waiting') return;
    const move = state.name === 'moving' ? state.move : this.#createMove();
    move.finishNow();
    this.#logRestored(move);
  }

  stop(): void {
    if (this.#state.name === 'moving') this.#state.move.abandon();
    if (this.#state.name === 'checking') this.#state.check.stop();
  }

  #begin(disturbance: Disturbance): void {
    const { clock, logger, dbPath } = this.#options;
    if (disturbance.kind === 'taken away') {
      const files = disturbance.suffixes.map((suffix) => dbPath + suffix);
      logger.error('database files taken away, restoring', { path: dbPath, files, hint: HINT });
      this.#move();
      return;
    }
    if (disturbance.kind === 'WAL cut') {
      this.#state = { name: 'cut' };
      return;
    }
    this.#state = { name: 'settling', sinceMs: clock.monotonic() };
  }

  #move(): void {
    this.#state = { name: 'moving', move: this.#createMove() };
  }

  #createMove(): DatabaseMove {
    const { clock, dbPath } = this.#options;
    const { database, files } = this.#session;
    return new DatabaseMove(database, { databasePath: dbPath, ids: files.ids!, nowMs: clock.now() });
  }

  #followMove(move: DatabaseMove): GuardResult | undefined {
    if (move.state === 'copying') return undefined;
    try {
      if (move.state === 'failed') throw move.error;
      if (!move.install()) return undefined;
    } catch (error) {
      this.#state = { name: 'waiting', untilMs: this.#options.clock.monotonic() + RETRY_INTERVAL_MS };
      return { next: 'retry', error };
    }
    this.#logRestored(move);
    return { next: 'reopen' };
  }

  #logRestored({ setAside }: DatabaseMove): void {
    const { dbPath, logger } = this.#options;
    logger.warn('database restored from open files', { path: dbPath, set_aside: setAside });
  }

  #followWrites(sinceMs: number): void {
    const { files } = this.#session;
    const disturbance = files.look();
    if (disturbance !== undefined) this.#begin(disturbance);
    else if (this.#options.clock.monotonic() - sinceMs >= QUIET_MS) {
      if (files.isCheckpointed()) this.#state = { name: 'watching' };
      else this.#check();
    }
  }

  #check(): void {
    const { checkWorkerFile, dbPath, logger } = this.#options;
    logger.warn('database written to, checking', { path: dbPath, hint: HINT });
    this.#state = { name: 'checking', check: new BackgroundCheck(checkWorkerFile, dbPath) };
  }

  #followCheck(check: BackgroundCheck): GuardResult | undefined {
    const disturbance = this.#session.files.look();
    if (disturbance !== undefined) {
      check.stop();
      this.#begin(disturbance);
      return undefined;
    }
    if (!check.isOver) return undefined;
    const { corruption } = check;
    return corruption === undefined ? { next: 'reopen' } : { next: 'rebuild', corruption };
  }
}
