import { expect, test } from '@jest/globals';

import type { SourceSample } from '../../../../../collector/src/store/recovery/source-sample.ts';
import {
  verifySamples,
  type IndexAnswer,
  type SampleEvidence,
} from '../../../../../collector/src/store/recovery/verify-samples.ts';

const T = 1_700_000_000_000;

/** A page of two scrapes of four series, and one of a single series between them. */
const PAGE: readonly SourceSample[] = [
  ...[1, 2, 3, 4].map((seriesId) => ({ id: 100 + seriesId, seriesId, timestampMs: T, value: seriesId })),
  { id: 105, seriesId: 9, timestampMs: T + 5_000, value: 5 },
  ...[1, 2, 3, 4].map((seriesId) => ({ id: 105 + seriesId, seriesId, timestampMs: T + 10_000, value: seriesId })),
];

/** What an index says that has `entries`, or cannot be read. */
function indexOf(entries: readonly SourceSample[] | undefined): SampleEvidence {
  const find = ({ timestampMs, seriesId }: SourceSample): IndexAnswer => {
    if (entries === undefined) return { kind: 'unknown' };
    const entry = entries.find((each) => each.timestampMs === timestampMs && each.seriesId === seriesId);
    const isOfRow = PAGE.some((row) => row.id === entry?.id && row.seriesId === seriesId);
    return entry === undefined ? { kind: 'no entry' } : { kind: 'entry', id: entry.id, isOfRow };
  };
  const hasEntry = (id: number, fromMs: number, toMs: number): boolean =>
    entries?.some((each) => each.id === id && each.timestampMs >= fromMs && each.timestampMs <= toMs) ?? false;
  return { find, findRow: () => undefined, isOnLostPage: (id) => id > 105, hasEntry };
}

function change(place: number, changes: Partial<SourceSample>): (SourceSample | undefined)[] {
  return PAGE.map((sample, at) => (at === place ? { ...sample, ...changes } : sample));
}

function verifiedIds(
  cells: readonly (SourceSample | undefined)[],
  evidence: SampleEvidence,
  isStale = false,
): number[] {
  return verifySamples(cells, evidence, isStale).samples.map(({ id }) => id);
}

const ALL = PAGE.map(({ id }) => id);
const without = (id: number): number[] => ALL.filter((each) => each !== id);

test('verified samples: every row of a sound page, with and without an index', () => {
  expect(verifiedIds(PAGE, indexOf(PAGE))).toEqual(ALL);
  expect(verifiedIds(PAGE, indexOf(undefined))).toEqual(ALL);
});

test('verified samples: a row whose id has changed gets it back from the index', () => {
  const cells = change(2, { id: 2 ** 40 });
  expect(verifySamples(cells, indexOf(PAGE), false)).toEqual({ samples: PAGE, doubtful: 0 });
  expect(verifiedIds(cells, indexOf(undefined))).toEqual(without(103));
});

test.each([
  ['time', 4, { timestampMs: T + 6_000 }],
  ['time, out of order', 4, { timestampMs: T + 60_000 }],
  ['series', 3, { seriesId: 12 }],
  ['series, to another row’s', 1, { seriesId: 3 }],
])('verified samples: a row whose %s has changed is no sample', (_, place, changes) => {
  expect(verifiedIds(change(place, changes), indexOf(PAGE))).toEqual(without(PAGE[place]!.id));
});

test.each([
  ['is missing', PAGE.filter(({ id }) => id !== 103)],
  ['has another id', change(2, { id: 77 }) as SourceSample[]],
  ['has another series', change(2, { seriesId: 50 }) as SourceSample[]],
])('verified samples: a row whose entry %s is one, as its neighbors show', (_, entries) => {
  expect(verifiedIds(PAGE, indexOf(entries))).toEqual(ALL);
});

test('verified samples: of a page that does not count any more, only what the index has, or what stood on a lost one', () => {
  const moved = [106, 107, 108, 109];
  expect(verifiedIds(PAGE, indexOf(PAGE.slice(0, 3)), true)).toEqual([101, 102, 103, ...moved]);
  expect(verifiedIds(PAGE, indexOf(undefined), true)).toEqual(moved);
});

test('verified samples: of a page that does not count any more, what stands between rows of the index that the table lacks', () => {
  const entries = PAGE.filter(({ id }) => id !== 102 && id !== 109);
  const evidence = { ...indexOf(entries), isOnLostPage: () => false };
  expect(verifiedIds(PAGE, evidence, true)).toEqual(without(109));
  const findRow = (id: number): SourceSample | undefined => PAGE.find((row) => row.id === id && id !== 102);
  expect(verifiedIds(PAGE, { ...evidence, findRow }, true)).toEqual(entries.map(({ id }) => id));
});

test('verified samples: noise that looks like a row is none, and is counted', () => {
  const noise = { id: 1e9, seriesId: 3, timestampMs: 1.5e12, value: 4 };
  expect(verifySamples([noise, undefined, ...PAGE], indexOf(undefined), false)).toEqual({ samples: PAGE, doubtful: 2 });
  expect(verifiedIds([noise], indexOf(undefined))).toEqual([]);
});

test('verified samples: a row with a time of its own, among later ones, is a sample if the index has it', () => {
  const aged = { id: 105, seriesId: 9, timestampMs: T - 1_800_000, value: 5 };
  const cells = change(4, aged);
  expect(verifiedIds(cells, indexOf(cells as SourceSample[]))).toEqual(ALL);
  expect(verifySamples(cells, indexOf(undefined), false)).toEqual({ samples: without(105).map(toSample), doubtful: 1 });
});

function toSample(id: number): SourceSample {
  return PAGE.find((sample) => sample.id === id)!;
}
