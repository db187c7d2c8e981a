import { expect, test } from '@jest/globals';

import {
  chooseBooks,
  type BooksEvidence,
  type CollectedBooks,
} from '../../../../../collector/src/store/recovery/source-books.ts';

const MAIN: CollectedBooks = { lastId: 1_000, collected: 1_000, dropped: 20, heartbeatMs: 1 };
/** As of the last multiple of 256 that an id has passed. */
const COPY: CollectedBooks = { lastId: 770, collected: 770, dropped: 20, heartbeatMs: 1 };
const UPLOADED = { delivered: 300, rejected: 5 };
const EVIDENCE: BooksEvidence = {
  inLedger: 20,
  highestId: 1_000,
  isHighestIdCertain: true,
  countPending: () => undefined,
  pendingIds: 675,
  rejectedRows: 5,
};

function choose(
  collected: readonly [CollectedBooks | undefined, CollectedBooks | undefined],
  evidence: Partial<BooksEvidence> = {},
): [collected: number | undefined, isEstimate: boolean | undefined] {
  const books = chooseBooks(collected, [UPLOADED, UPLOADED], { ...EVIDENCE, ...evidence });
  return [books?.collected, books?.isEstimate];
}

test('books of a corrupt database: are known if both places agree', () => {
  expect(choose([MAIN, COPY])).toEqual([1_000, false]);
});

test('books of a corrupt database: are known from the copy and the highest id, or up to the highest that there can be', () => {
  expect(choose([undefined, COPY], { countPending: () => 675 })).toEqual([1_000, false]);
  expect(choose([undefined, COPY], { highestId: 400 })).toEqual([1_023, true]);
  expect(choose([undefined, COPY], { isHighestIdCertain: false })).toEqual([1_023, true]);
});

test('books of a corrupt database: are those that agree with the ledger and the rows, where both places differ', () => {
  expect(choose([{ ...MAIN, collected: 5_000 }, COPY], { countPending: () => 675 })).toEqual([1_000, false]);
  expect(choose([{ ...MAIN, dropped: 21 }, COPY])).toEqual([1_000, true]);
});

test('books of a corrupt database: are not known if one place is further ahead than the other can lag', () => {
  const ahead = { ...MAIN, lastId: 1_024, collected: 1_024 };
  expect(choose([ahead, COPY], { highestId: 1_000 })).toEqual([1_024, true]);
});

test('books of a corrupt database: are an estimate of the most that was pending, where nothing decides', () => {
  expect(choose([{ ...MAIN, collected: 900 }, COPY])).toEqual([1_000, true]);
});

test('books of a corrupt database: are not known without either place of the collector’s side', () => {
  expect(choose([undefined, undefined])).toEqual([undefined, undefined]);
});

test('books of a corrupt database: take what may be pending as pending without either place of the uploader’s side', () => {
  const books = chooseBooks([MAIN, COPY], [undefined, undefined], EVIDENCE);
  expect(books).toMatchObject({ delivered: 300, rejected: 5, isEstimate: true });
});
