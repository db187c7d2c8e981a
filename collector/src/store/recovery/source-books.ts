import { isDeepStrictEqual } from 'node:util';

import type { CorruptDatabase } from './corrupt-database.ts';
import type { LeafRow } from './leaf-pages.ts';
import type { SqlValue } from './record-format.ts';

/*
 * The books of a corrupt database. They stand twice, in `collector_state` and `uploader_state` and, on another page, in
 * `books_copy`: triggers keep both in step. The copy of the collector's side may be older by the samples of up to
 * COPIED_EVERY_IDS ids, and by nothing else.
 *
 *   both agree              they are known
 *   one can be read         it is, if it is plausible; of the copy, up to the highest id that it allows
 *   both differ             the plausible one; if both are, the one by which more samples were pending
 *   none                    that side is not known
 */

/** The collector's side of the books. */
export interface CollectedBooks {
  readonly lastId: number;
  readonly collected: number;
  readonly dropped: number;
  readonly heartbeatMs: number;
}

/** The uploader's side of the books. */
export interface UploadedBooks {
  readonly delivered: number;
  readonly rejected: number;
}

/** The books, as far as they could be read. */
export interface SourceBooks extends CollectedBooks, UploadedBooks {
  /** Whether they are an upper bound of what was collected. */
  readonly isEstimate: boolean;
}

/** Each side as it stands in its own table and in `books_copy`. */
export interface StoredBooks {
  readonly collected: readonly [CollectedBooks | undefined, CollectedBooks | undefined];
  readonly uploaded: readonly [UploadedBooks | undefined, UploadedBooks | undefined];
}

/** What else of the database shows whether its books can be right. */
export interface BooksEvidence {
  /** The sum of the ledger; undefined if it cannot be read. */
  readonly inLedger: number | undefined;
  /** The highest id of a stored row or a settled range; 0 if none can be read. */
  readonly highestId: number;
  /** Whether there was no row with a higher one. */
  readonly isHighestIdCertain: boolean;
  /** Counts the pending rows; undefined if they cannot be counted. */
  readonly countPending: () => number | undefined;
  /** How many ids could be those of pending rows. */
  readonly pendingIds: number;
  /** Rejected rows that can be read. */
  readonly rejectedRows: number;
}

/** The trigger in migrations/0006-books-copy.sql copies at least whenever an id passes a multiple of this. */
const COPIED_EVERY_IDS = 256;

/** Chooses the books that are right; undefined if the collector's side cannot be found out. */
export function chooseBooks(
  collected: StoredBooks['collected'],
  uploaded: StoredBooks['uploaded'],
  evidence: BooksEvidence,
): SourceBooks | undefined {
  const left = readCollected(...collected, evidence);
  const right = uploaded.filter((each) => each !== undefined);
  const isRightKnown = right.length > 0 && right.every((each) => isDeepStrictEqual(each, right[0]));
  const pairs = left.flatMap((books) =>
    (right.length > 0 ? right : [guessUploaded(books, evidence)]).map((each) => ({ ...books, ...each })),
  );
  const inLine = pairs.filter((books) => isPlausible(books, evidence));
  // The ledger is what was damaged if it agrees with neither.
  const plausible = inLine.filter(({ dropped }) => (evidence.inLedger ?? dropped) === dropped);
  const candidates = plausible.length > 0 ? plausible : inLine;
  if (left[0]?.isAgreed === true && isRightKnown) return candidates[0];
  const pending = evidence.countPending();
  const counted = candidates.find((books) => pendingOf(books) === pending);
  if (counted !== undefined) return { ...counted, isEstimate: false };
  const [most] = [...candidates].sort((a, b) => pendingOf(b) - pendingOf(a));
  if (most === undefined) return undefined;
  // Where the rows cannot be counted, the only ones that can be read are believed.
  const isOnlyOne = left.length === 1 && !most.isEstimate && isRightKnown && pending === undefined;
  return { ...most, isEstimate: !isOnlyOne };
}

/** How many rows are pending by the books. */
export function pendingOf({ collected, delivered, rejected, dropped }: Omit<SourceBooks, 'isEstimate'>): number {
  return collected - delivered - rejected - dropped;
}

type Collected = CollectedBooks & { readonly isEstimate: boolean; readonly isAgreed?: boolean };

/** What the collector's side may be. */
function readCollected(
  main: CollectedBooks | undefined,
  copy: CollectedBooks | undefined,
  evidence: BooksEvidence,
): Collected[] {
  const inStep =
    main !== undefined &&
    copy !== undefined &&
    main.dropped === copy.dropped &&
    main.collected - main.lastId === copy.collected - copy.lastId &&
    main.lastId >= copy.lastId &&
    main.lastId <= lastIdOf(copy);
  if (inStep) return [{ ...main, isEstimate: false, isAgreed: true }];
  const found: Collected[] = main === undefined ? [] : [{ ...main, isEstimate: false }];
  return copy === undefined ? found : [...found, advance(copy, evidence)];
}

/** The copy as of the last row that can be read, or as of the last that there can have been. */
function advance(copy: CollectedBooks, { highestId, isHighestIdCertain }: BooksEvidence): Collected {
  const isEstimate = !isHighestIdCertain || highestId < copy.lastId;
  const lastId = isEstimate || highestId > lastIdOf(copy) ? lastIdOf(copy) : highestId;
  return { ...copy, lastId, collected: copy.collected + lastId - copy.lastId, isEstimate };
}

/** The highest id that there can have been before the copy was written again. */
function lastIdOf({ lastId }: CollectedBooks): number {
  return lastId - (lastId % COPIED_EVERY_IDS) + COPIED_EVERY_IDS - 1;
}

/** The uploader's side where none can be read: every id that may be pending is, and the rest was delivered. */
function guessUploaded(
  { collected, dropped }: CollectedBooks,
  { pendingIds, rejectedRows }: BooksEvidence,
): UploadedBooks {
  const rest = Math.max(0, collected - dropped - pendingIds);
  const rejected = Math.min(rest, rejectedRows);
  return { delivered: rest - rejected, rejected };
}

function isPlausible(books: Omit<SourceBooks, 'isEstimate'>, { highestId }: BooksEvidence): boolean {
  const pending = pendingOf(books);
  return pending >= 0 && pending <= books.lastId && books.lastId >= highestId;
}

/** Reads the rows of both sides from the pages, where SQLite does not find them. */
export function readBooksFromPages(source: CorruptDatabase): StoredBooks {
  const rows = source.withPages((pages) => {
    const stale = pages.findStalePlaces();
    const places = Array.from({ length: pages.count }, (_, place) => place).filter((place) => !stale.has(place));
    return places.flatMap((place) => pages.rows(place, (id) => id === 1).filter(({ values }) => values[0] === null));
  });
  const last = (isWanted: (row: LeafRow) => boolean): readonly SqlValue[] | undefined =>
    rows.findLast(isWanted)?.values;
  const copy = last(({ values }) => values.length === 7 && values.slice(1).every(isCount));
  const main = last(
    ({ values }) => values.length === 5 && values.slice(1).every(isCount) && (values[4] as number) > 1e12,
  );
  const uploader = last(({ values: [, delivered, rejected, suspectedAt, report, ...more] }) => {
    const isState = (suspectedAt === null || isCount(suspectedAt)) && (report === null || typeof report === 'string');
    return isCount(delivered) && isCount(rejected) && isState && report !== undefined && more.length === 0;
  });
  return {
    collected: [toCollected(main?.slice(1)), toCollected(copy?.slice(1))],
    uploaded: [toUploaded(uploader?.slice(1)), toUploaded(copy?.slice(5))],
  };
}

function toCollected(values: readonly SqlValue[] | undefined): CollectedBooks | undefined {
  const [lastId, collected, dropped, heartbeatMs] = values ?? [];
  return values === undefined ? undefined : ({ lastId, collected, dropped, heartbeatMs } as CollectedBooks);
}

function toUploaded(values: readonly SqlValue[] | undefined): UploadedBooks | undefined {
  const [delivered, rejected] = values ?? [];
  return values === undefined ? undefined : ({ delivered, rejected } as UploadedBooks);
}

/** Whether a value is a whole number from 0 on. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
