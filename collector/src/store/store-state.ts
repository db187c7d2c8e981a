import type { DatabaseGuard } from './database-guard.ts';
import type { DatabaseSession } from './database-session.ts';
import type { Maintenance } from './maintenance.ts';

/** An open database and what maintains it. */
export interface OpenDatabase {
  readonly session: DatabaseSession;
  readonly maintenance: Maintenance;
  readonly guard: DatabaseGuard;
}

/** Why samples cannot be stored, and since when by the wall clock. */
export interface StorageFailure {
  readonly reason: string;
  /** Unix milliseconds of the first commit that failed. */
  readonly sinceMs: number;
}

/** What the store is doing; `database` is the one that is open. */
export type StoreState =
  | { readonly name: 'unopened' }
  | { readonly name: 'open'; readonly database: OpenDatabase }
  | { readonly name: 'buffering'; readonly failure: StorageFailure; readonly database?: OpenDatabase | undefined }
  | { readonly name: 'rebuilding'; readonly failure?: StorageFailure | undefined }
  | { readonly name: 'closed' };

/** What happens to the store. */
export type StoreEvent =
  | { readonly type: 'opened'; readonly database: OpenDatabase }
  | { readonly type: 'committed' }
  | { readonly type: 'commit failed'; readonly reason: string; readonly nowMs: number }
  | { readonly type: 'corruption found' }
  | { readonly type: 'files replaced' }
  | { readonly type: 'closed' };

/**
 * Returns the state that follows an event.
 *
 *   unopened     no database has been opened yet
 *   open         commits go through
 *   buffering    a commit failed because the disk is full or unusable, or no database could be opened: scrapes stay in a
 *                bounded buffer, a retry every few seconds evicts rows first; the oldest scrapes are dropped and booked
 *   rebuilding   the database is corrupt, or its files were replaced, and it has been closed: another one is about to be
 *                opened in its place. If that fails, the next commit opens one, and only its failure is a reason to buffer
 *   closed       the end; nothing is stored any more
 *
 *                opened        committed    commit failed   corruption found   closed
 *   unopened     open          –            buffering       rebuilding         closed
 *   open         open          open         buffering       rebuilding         closed
 *   buffering    buffering ¹   open ²       buffering ³     rebuilding ³       closed
 *   rebuilding   open or ¹     –            buffering ³     rebuilding         closed
 *   closed       closed        closed       closed          closed             closed
 *
 * ¹ An open database proves nothing after a failure: only a commit that goes through ends it.
 * ² With the database that took the commit.
 * ³ Since the first failure, for the reason of the last one.
 * “files replaced” leads where “corruption found” does.
 */
export function nextState(state: StoreState, event: StoreEvent): StoreState {
  if (state.name === 'closed') return state;
  const failure = findFailure(state);
  const database = findDatabase(state);
  switch (event.type) {
    case 'opened':
      return failure === undefined
        ? { name: 'open', database: event.database }
        : { name: 'buffering', failure, database: event.database };
    case 'committed':
      return database === undefined ? state : { name: 'open', database };
    case 'commit failed': {
      const { reason, nowMs } = event;
      return { name: 'buffering', failure: { reason, sinceMs: failure?.sinceMs ?? nowMs }, database };
    }
    case 'corruption found':
    case 'files replaced':
      return { name: 'rebuilding', failure };
    case 'closed':
      return { name: 'closed' };
  }
}

/** Returns the database that is open; undefined if none is. */
export function findDatabase(state: StoreState): OpenDatabase | undefined {
  return 'database' in state ? state.database : undefined;
}

/** Returns why samples cannot be stored; undefined if nothing is known to prevent it. */
export function findFailure(state: StoreState): StorageFailure | undefined {
  return 'failure' in state ? state.failure : undefined;
}
