import { closeSync, existsSync, fsyncSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';

import { readFileId, type DatabaseFileIds } from '@thugshells/shared/database/file-ids.ts';
import { createFile } from '@thugshells/shared/database/create-file.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { syncFolder } from '@thugshells/shared/database/rebuild.ts';

import { removeDatabase } from './move-database.ts';
import { setAsideForeign } from './kept-databases.ts';

export interface DatabaseMoveOptions {
  readonly databasePath: string;
  /** The files that the database has open. */
  readonly ids: DatabaseFileIds;
  readonly nowMs: number;
}

/** Pages in one step of the copying, a quarter of a megabyte: no scrape waits for more. */
const PAGES_PER_STEP = 256;
const SUFFIXES = ['', '-wal', '-shm'] as const;

/**
 * Writes the content of an open database whose files were taken away to a new file under its name. The open files have
 * everything, whatever happened to their names:
 *
 *   1. what other files have the names is set aside, so that no program opens it beside the WAL of the open database
 *   2. the content is copied to `.copy`, some pages at a time, while scrapes are buffered
 *   3. with the write lock of the open database held: if nobody has written to it meanwhile, `.copy` becomes `.complete`,
 *      the names are freed, and `.complete` gets the name of the database
 *
 * After a kill in 3 the next start finishes it (finishInterruptedMove); after one in 2 the copy is incomplete, and removed.
 */
export class DatabaseMove {
  readonly #database: Database;
  readonly #options: DatabaseMoveOptions;
  #state: 'copying' | 'copied' | 'failed' = 'copying';
  #error: unknown;
  /** SQLite's number of the last change by another connection, when the copying began. */
  #version: unknown;
  #isAbandoned = false;
  /** Files that stood in the place of the database, under their new names. */
  readonly setAside: string[] = [];

  /** Begins the copying. */
  constructor(database: Database, options: DatabaseMoveOptions) {
    this.#database = database;
    this.#options = options;
    void this.#copy();
  }

  get state(): 'copying' | 'copied' | 'failed' {
    return this.#state;
  }

  /** Why the copying failed. */
  get error(): unknown {
    return this.#error;
  }

  /**
   * Gives the copy the name of the database; the open one has to be closed then.
   *
   * @returns false if another program has written to the open database meanwhile: the copying begins again
   */
  install(): boolean {
    const isCurrent = this.#withWriteLock(() => {
      if (this.#readVersion() !== this.#version) return false;
      this.#installCopy();
      return true;
    });
    if (!isCurrent) {
      this.#state = 'copying';
      void this.#copy();
    }
    return isCurrent;
  }

  /** Does everything at once, for a program that ends. */
  finishNow(): void {
    this.abandon();
    const copy = copyPath(this.#options.databasePath);
    this.#setForeignAside();
    removeCopy(this.#options.databasePath);
    this.#database.prepare('VACUUM INTO ?').run(copy);
    syncFile(copy);
    this.#installCopy();
  }

  /** Ends the copying. */
  abandon(): void {
    this.#isAbandoned = true;
  }

  async #copy(): Promise<void> {
    const copy = copyPath(this.#options.databasePath);
    try {
      this.#setForeignAside();
      removeCopy(this.#options.databasePath);
      createFile(copy);
      this.#version = this.#readVersion();
      await this.#database.backup(copy, { progress: () => this.#nextStep() });
      if (this.#isAbandoned) return;
      syncFile(copy);
      this.#state = 'copied';
    } catch (error) {
      if (this.#isAbandoned) return;
      this.#error = error;
      this.#state = 'failed';
    }
  }

  #nextStep(): number {
    if (this.#isAbandoned) throw new Error('the copying was abandoned');
    return PAGES_PER_STEP;
  }

  #readVersion(): unknown {
    return this.#database.pragma('data_version', { simple: true });
  }

  #withWriteLock<T>(work: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      return work();
    } finally {
      this.#database.exec('ROLLBACK');
    }
  }

  #installCopy(): void {
    const { databasePath } = this.#options;
    renameSync(copyPath(databasePath), completePath(databasePath));
    syncFolder(dirname(databasePath));
    this.#setForeignAside();
    freeNames(databasePath);
    renameSync(completePath(databasePath), databasePath);
    syncFolder(dirname(databasePath));
  }

  /** Moves what has a name of the open database and is another file; the file itself first, so that nobody opens it. */
  #setForeignAside(): void {
    const { databasePath, ids, nowMs } = this.#options;
    const own = [ids.database, ids.wal, ids.shm];
    const foreign = SUFFIXES.filter((suffix, index) => isOther(databasePath + suffix, own[index]));
    this.setAside.push(...setAsideForeign(databasePath, nowMs, foreign));
  }
}

/** Finishes a move that a kill has interrupted when its copy was complete, and removes an incomplete one. */
export function finishInterruptedDatabaseMove(databasePath: string, nowMs: number): void {
  removeCopy(databasePath);
  if (!existsSync(completePath(databasePath))) return;
  // They may be the old ones, or somebody has put them there since: kept.
  setAsideForeign(databasePath, nowMs, SUFFIXES);
  renameSync(completePath(databasePath), databasePath);
  syncFolder(dirname(databasePath));
}

/** Removes what a copying has left: with its journal, which SQLite would apply to the next copy. */
function removeCopy(databasePath: string): void {
  removeDatabase(copyPath(databasePath));
  rmSync(`${copyPath(databasePath)}-journal`, { force: true });
}

/** Removes the names of the old files; the file itself goes first, so that nobody opens it without its WAL. */
function freeNames(databasePath: string): void {
  for (const suffix of SUFFIXES) rmSync(databasePath + suffix, { force: true });
}

/** Whether a path has a file other than the own one; a link or a folder counts too. */
function isOther(path: string, own: string | undefined): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined && readFileId(path) !== own;
}

function copyPath(databasePath: string): string {
  return `${databasePath}.copy`;
}

function completePath(databasePath: string): string {
  return `${databasePath}.complete`;
}

/** Only for files that SQLite does not have open. */
function syncFile(path: string): void {
  const descriptor = openSync(path, 'r+');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
