import { subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { CorruptDatabase } from './corrupt-database.ts';
import { readRejections } from './corrupt-tables.ts';
import type { KnownSettled } from './salvage-progress.ts';
import {
  chooseBooks,
  isCount,
  pendingOf,
  readBooksFromPages,
  type SourceBooks,
  type StoredBooks,
  type UploadedBooks,
} from './source-books.ts';

/** What is known of the samples besides the samples: which are settled, and how many were pending. */
export interface SourceAccount {
  /** Undefined if the collector's side of the books cannot be read from either place. */
  readonly books: SourceBooks | undefined;
  /** The uploader's side, as it stands in either place. */
  readonly uploaded: UploadedBooks | undefined;
  /** What is settled; undefined if that cannot be read or contradicts the books. What was provisional is left out. */
  readonly settled: readonly IdRange[] | undefined;
  /** How many samples were pending by the books, what was provisional included. */
  readonly pending: number;
  /** How many ids there are that may be those of pending samples. */
  readonly pendingIds: number;
  /** Whether there are more of them than the books explain: what is settled may not be all that was. */
  readonly isSettledInDoubt: boolean;
  /** How many rows were settled and not yet sure to be delivered. */
  readonly provisional: number;
}

const accounts = new WeakMap<CorruptDatabase, SourceAccount>();

/** Reads the account of a source; once, since it may take a look at every page. */
export function readAccount(source: CorruptDatabase): SourceAccount {
  const known = accounts.get(source) ?? findAccount(source);
  accounts.set(source, known);
  return known;
}

/** The account of a source, with what was settled from what was known of it while it was open. */
export function withKnown(account: SourceAccount, known: KnownSettled | undefined): SourceAccount {
  if (known === undefined) return account;
  const { books } = account;
  const { lastId, settled } = known;
  return {
    ...account,
    books: books && { ...books, lastId: Math.max(lastId, books.lastId) },
    settled,
    pendingIds: idsIn(subtract([[1, Math.max(1, lastId)]], settled)),
    isSettledInDoubt: false,
    provisional: 0,
  };
}

/** The books; undefined if the collector's side of them cannot be read from either place. */
export function readBooks(source: CorruptDatabase): SourceBooks | undefined {
  return readAccount(source).books;
}

function findAccount(source: CorruptDatabase): SourceAccount {
  const all = readRanges(source, 'SELECT first_id AS first, last_id AS last FROM settled ORDER BY first_id');
  const provisionalRanges = readRanges(
    source,
    'SELECT value ->> 0 AS first, value ->> 1 AS last FROM provisional, json_each(provisional.ranges) ORDER BY first',
  );
  const settled = all === undefined || provisionalRanges === undefined ? undefined : subtract(all, provisionalRanges);
  const stored = readStoredBooks(source);
  const books = findBooks(source, stored, all);
  const uploaded = stored.uploaded.find((each) => each !== undefined);
  const highestId = books?.lastId ?? source.highestId();
  const existing: IdRange = [firstIdOf(source), Math.max(highestId, 1)];
  const pendingIds = idsIn(subtract([existing], settled ?? []));
  const provisional = settled === undefined ? 0 : provisionalRows(source, idsIn(provisionalRanges ?? []));
  const pending = books === undefined ? pendingIds : Math.max(0, pendingOf(books) + provisional);
  const isWithin = (all?.at(-1)?.[1] ?? 0) <= highestId;
  const known = { books, uploaded };
  if (settled === undefined || !isWithin || pendingIds < pending) {
    const allIds = idsIn([existing]);
    return {
      ...known,
      settled: undefined,
      pending: pending - provisional,
      pendingIds: allIds,
      isSettledInDoubt: true,
      provisional: 0,
    };
  }
  const isSettledInDoubt = pendingIds - pending > (books?.dropped ?? Infinity);
  return { ...known, settled, pending, pendingIds, isSettledInDoubt, provisional };
}

function findBooks(
  source: CorruptDatabase,
  stored: StoredBooks,
  settled: readonly IdRange[] | undefined,
): SourceBooks | undefined {
  const highestId = Math.max(source.highestId(), settled?.at(-1)?.[1] ?? 0);
  const lastId = Math.max(highestId, ...stored.collected.map((each) => each?.lastId ?? 0));
  const unsettled = subtract([[firstIdOf(source), Math.max(1, lastId)]], settled ?? []);
  const losses = source.query('SELECT IFNULL(SUM(count), 0) AS count FROM losses')?.[0]?.['count'];
  return chooseBooks(stored.collected, stored.uploaded, {
    highestId,
    isHighestIdCertain: source.isHighestIdCertain,
    inLedger: isCount(losses) ? losses : undefined,
    countPending: () => (settled === undefined ? undefined : countRows(source, unsettled)),
    pendingIds: idsIn(unsettled),
    rejectedRows: readRejections(source).length,
  });
}

/** Both copies of both sides; from the pages what SQLite does not find. */
function readStoredBooks(source: CorruptDatabase): StoredBooks {
  const collector = 'last_id AS lastId, collected, dropped, heartbeat AS heartbeatMs';
  const uploader = 'delivered, rejected';
  const read = <T>(columns: string, table: string): T | undefined => {
    const row = source.query(`SELECT ${columns} FROM ${table}`)?.[0];
    return row !== undefined && Object.values(row).every(isCount) ? (row as T) : undefined;
  };
  const found: StoredBooks = {
    collected: [read(collector, 'collector_state'), read(collector, 'books_copy')],
    uploaded: [read(uploader, 'uploader_state'), read(uploader, 'books_copy')],
  };
  if ([...found.collected, ...found.uploaded].every((each) => each !== undefined)) return found;
  const onPages = readBooksFromPages(source);
  return {
    collected: [found.collected[0] ?? onPages.collected[0], found.collected[1] ?? onPages.collected[1]],
    uploaded: [found.uploaded[0] ?? onPages.uploaded[0], found.uploaded[1] ?? onPages.uploaded[1]],
  };
}

/** No row has a lower id: epochs go when the last of their rows does. */
function firstIdOf(source: CorruptDatabase): number {
  const first = source.query('SELECT MIN(first_id) AS first FROM epochs')?.[0]?.['first'];
  return isCount(first) && first > 0 ? first : 1;
}

function countRows(source: CorruptDatabase, within: readonly IdRange[]): number | undefined {
  const counts = within.map(
    ([first, last]) =>
      source.query(`SELECT COUNT(*) AS count FROM samples WHERE id BETWEEN ${first} AND ${last}`)?.[0]?.['count'],
  );
  return counts.every(isCount) ? counts.reduce((sum, count) => sum + count, 0) : undefined;
}

/** @param ids how many ids they can have */
function provisionalRows(source: CorruptDatabase, ids: number): number {
  const rows = source.query(
    `SELECT COUNT(DISTINCT id) AS count
     FROM (SELECT value ->> 0 AS first, value ->> 1 AS last FROM provisional, json_each(provisional.ranges)) CROSS JOIN samples ON id BETWEEN first AND last`,
  );
  const count = rows?.[0]?.['count'];
  return isCount(count) ? count : ids;
}

function idsIn(of: readonly IdRange[]): number {
  return of.reduce((sum, [first, last]) => sum + last - first + 1, 0);
}

/** Reads ranges; undefined unless they are whole numbers in ascending order. */
function readRanges(source: CorruptDatabase, sql: string): IdRange[] | undefined {
  const found = source.query(sql)?.map(({ first, last }): IdRange => [first as number, last as number]);
  const areOrdered = found?.every(([first, last], index) => {
    return isCount(first) && isCount(last) && first <= last && first > (found[index - 1]?.[1] ?? 0);
  });
  return areOrdered === true ? found : undefined;
}
