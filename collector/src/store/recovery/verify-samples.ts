import type { SourceSample } from './source-sample.ts';

/**
 * Which rows of a page are samples that were stored, and which are not what they were: nothing redundant stands beside a
 * row but its entry in the index and its neighbors.
 *
 * Rows of a table stand in the order of their ids, and ids were given in the order of time and, within a scrape, of the
 * series. Samples with a time of their own stand among later ones: they are believed if the index has them, and out of order
 * otherwise. So a row is
 *
 *   verified   if the index has its time and series with its id
 *   repaired   if its id is out of order, and the index has its time and series with the one id that fits between its
 *              neighbors: the id is what changed
 *   verified   if it is in order, and of the same time as a neighbor or between the rows with the ids next to its own
 *              (of which one may be on another page that is gone), and the index does not contradict: it cannot be read
 *              there, has no entry with its id or its time and series, or has one with an id that no row of that time
 *              can have: the entry is what changed
 *   verified   if no other row can stand between its neighbors, whatever the index has
 *   doubtful   otherwise
 */

/** What the index has for a row's time and series. */
export type IndexAnswer =
  /** It cannot be read there. */
  | { readonly kind: 'unknown' }
  | { readonly kind: 'no entry' }
  /** `isOfRow`: whether a row with that id may have this time and series. */
  | { readonly kind: 'entry'; readonly id: number; readonly isOfRow: boolean };

/** What is known of a row besides its page. */
export interface SampleEvidence {
  /** Finds the index's entry of a row's time and series. */
  readonly find: (sample: SourceSample) => IndexAnswer;
  /** Finds the row with an id in the table. */
  readonly findRow: (id: number) => RowIdentity | undefined;
  /** Whether the page of the table is gone on which a row with an id would be. */
  readonly isOnLostPage: (id: number) => boolean;
  /** Whether the index has an entry with an id from one time to another. */
  readonly hasEntry: (id: number, fromMs: number, toMs: number) => boolean;
}

/** A row without its value. */
export type RowIdentity = Pick<SourceSample, 'id' | 'timestampMs' | 'seriesId'>;

export interface VerifiedSamples {
  readonly samples: readonly SourceSample[];
  /** Rows that cannot be read or believed. */
  readonly doubtful: number;
}

/** A row with its entry in the index. */
interface Candidate {
  readonly sample: SourceSample;
  readonly answer: IndexAnswer;
  readonly isVerified: boolean;
  /** Whether it is the first or the last cell of its page. */
  readonly isAtEdge: boolean;
}

/** Rows with ids next to each other are rarely further apart in time. */
const NEIGHBOR_MS = 86_400_000;
/** How far from a row without a neighbor on one side another entry with its id is looked for. */
const EDGE_MS = 60_000;
/** So many rows out of order weigh less than one that the index verifies. */
const VERIFIED_WEIGHT = 10_000;

/**
 * Verifies the rows of one page.
 *
 * @param cells in their order; undefined for one that cannot be read
 * @param isStale whether the page does not count any more: what it holds may have been deleted, so that only what the index
 *   has as well is believed, and what was moved to a page that is gone or is noise
 */
export function verifySamples(
  cells: readonly (SourceSample | undefined)[],
  evidence: SampleEvidence,
  isStale: boolean,
): VerifiedSamples {
  const candidates = cells.flatMap((sample, at): Candidate[] => {
    if (sample === undefined) return [];
    const answer = evidence.find(sample);
    const isVerified = answer.kind === 'entry' && answer.id === sample.id;
    return [{ sample, answer, isVerified, isAtEdge: at === 0 || at === cells.length - 1 }];
  });
  if (candidates.every(({ isVerified }) => isVerified))
    return { samples: samplesOf(candidates), doubtful: cells.length - candidates.length };
  const inOrder = findLongestOrder(candidates);
  const samples = candidates
    .filter((candidate) => !isStale || mayStandOnStalePage(candidate, candidates, evidence))
    .map((candidate) => verify(candidate, findNeighbors(inOrder, candidates.indexOf(candidate)), evidence))
    .filter((each) => each !== undefined);
  return { samples, doubtful: isStale ? 0 : cells.length - samples.length };
}

/**
 * A page of noise may read as one without rows, so that the table seems to have deleted those that stood there. The index
 * shows that it did not if it has rows on both sides that the table lacks.
 */
function mayStandOnStalePage(
  candidate: Candidate,
  candidates: readonly Candidate[],
  { isOnLostPage, findRow }: SampleEvidence,
): boolean {
  const { sample, isVerified } = candidate;
  if (isVerified || isOnLostPage(sample.id)) return true;
  const at = candidates.indexOf(candidate);
  const before = candidates.findLast((each, index) => index < at && each.isVerified);
  const after = candidates.find((each, index) => index > at && each.isVerified);
  return [before, after].every((each) => each !== undefined && findRow(each.sample.id) === undefined);
}

function samplesOf(candidates: readonly Candidate[]): SourceSample[] {
  return candidates.map(({ sample }) => sample);
}

/** The nearest rows on the page that are in order, and whether the row itself is. */
interface Neighbors {
  readonly isInOrder: boolean;
  readonly before: RowIdentity | undefined;
  readonly after: RowIdentity | undefined;
}

/** @param inOrder undefined for each row that is out of order */
function findNeighbors(inOrder: readonly (Candidate | undefined)[], index: number): Neighbors {
  return {
    isInOrder: inOrder[index] !== undefined,
    before: inOrder.findLast((each, at) => at < index && each !== undefined)?.sample,
    after: inOrder.find((each, at) => at > index && each !== undefined)?.sample,
  };
}

function verify(
  { sample, answer, isVerified, isAtEdge }: Candidate,
  { isInOrder, before, after }: Neighbors,
  { findRow, hasEntry }: SampleEvidence,
): SourceSample | undefined {
  if (isVerified) return sample;
  if (!isInOrder) return answer.kind === 'entry' ? repairId(sample, answer.id, { before, after }) : undefined;
  if (isOnlyOneBetween(before, sample, after)) return sample;
  const previous = before ?? findRow(sample.id - 1);
  const next = after ?? findRow(sample.id + 1);
  if (answer.kind === 'entry' && answer.isOfRow && mayBeOfTime(answer.id, sample, { previous, next })) return undefined;
  const { timestampMs, id } = sample;
  const ofSameTime = [previous, next].filter((row) => row !== undefined && row.timestampMs === timestampMs);
  if (ofSameTime.length > 0) {
    const isDense = ofSameTime.every((row) => row !== undefined && row.seriesId - sample.seriesId === row.id - id);
    return isDense || !hasEntry(id, timestampMs, timestampMs) ? sample : undefined;
  }
  const isNext = (a: RowIdentity, b: RowIdentity): boolean =>
    b.id === a.id + 1 && isBefore(a, b) && b.timestampMs - a.timestampMs <= NEIGHBOR_MS;
  const isPlausible =
    (previous === undefined ? isAtEdge : isNext(previous, sample)) &&
    (next === undefined ? isAtEdge : isNext(sample, next)) &&
    (previous ?? next) !== undefined;
  const fromMs = previous?.timestampMs ?? timestampMs - EDGE_MS;
  return isPlausible && !hasEntry(id, fromMs, next?.timestampMs ?? timestampMs + EDGE_MS) ? sample : undefined;
}

/** Whether a row with an id may be of a row's time: not if a row of another time stands between them. */
function mayBeOfTime(
  id: number,
  { id: ownId, timestampMs }: RowIdentity,
  { previous, next }: { readonly previous: RowIdentity | undefined; readonly next: RowIdentity | undefined },
): boolean {
  const between = id < ownId ? previous : next;
  return between === undefined || between.timestampMs === timestampMs;
}

/** Whether no other row of the same time can stand between two others: ids and series are next to each other. */
function isOnlyOneBetween(before: RowIdentity | undefined, row: RowIdentity, after: RowIdentity | undefined): boolean {
  if (before === undefined || after === undefined || before.timestampMs !== after.timestampMs) return false;
  return after.id - before.id === 2 && after.seriesId - before.seriesId === 2 && isBefore(before, row);
}

/** The row under the index's id, if that is the one that fits: at the edge of a page only the next to its neighbor does. */
function repairId(
  sample: SourceSample,
  id: number,
  { before, after }: Pick<Neighbors, 'before' | 'after'>,
): SourceSample | undefined {
  const repaired = { ...sample, id };
  if (before === undefined && after === undefined) return undefined;
  const fits =
    (before === undefined ? id === after!.id - 1 : isBefore(before, repaired)) &&
    (after === undefined ? id === before!.id + 1 : isBefore(repaired, after));
  return fits ? repaired : undefined;
}

function isBefore(a: RowIdentity, b: RowIdentity): boolean {
  if (a.id >= b.id) return false;
  return a.timestampMs < b.timestampMs || (a.timestampMs === b.timestampMs && a.seriesId < b.seriesId);
}

/**
 * The most rows that are in order with each other; what the index verifies is among them as far as it is in order itself.
 * Returns the candidates with undefined in the place of each other one.
 */
function findLongestOrder(candidates: readonly Candidate[]): (Candidate | undefined)[] {
  const weights: number[] = [];
  const previous: number[] = [];
  for (const [index, { sample, isVerified }] of candidates.entries()) {
    let best = 0;
    let from = -1;
    for (let at = 0; at < index; at++) {
      if (weights[at]! > best && isBefore(candidates[at]!.sample, sample)) [best, from] = [weights[at]!, at];
    }
    weights.push(best + (isVerified ? VERIFIED_WEIGHT : 1));
    previous.push(from);
  }
  const inOrder = new Set<number>();
  for (let at = weights.indexOf(Math.max(...weights)); at >= 0; at = previous[at]!) inOrder.add(at);
  return candidates.map((candidate, index) => (inOrder.has(index) ? candidate : undefined));
}
