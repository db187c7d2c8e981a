/** First and last id of an unbroken run of ids, both included. */
export type IdRange = readonly [firstId: number, lastId: number];

/** Converts ids in any order to the fewest ranges that hold exactly them, ascending. */
export function toRanges(ids: Iterable<number>): IdRange[] {
  const ranges: [number, number][] = [];
  for (const id of Float64Array.from(ids).sort()) {
    const last = ranges.at(-1);
    if (last !== undefined && id <= last[1] + 1) last[1] = id;
    else ranges.push([id, id]);
  }
  return ranges;
}

/** Merges ranges in any order into disjoint ranges that are not adjacent, ascending. */
export function merge(ranges: readonly IdRange[]): IdRange[] {
  const merged: [number, number][] = [];
  for (const [first, last] of [...ranges].sort((a, b) => a[0] - b[0])) {
    const previous = merged.at(-1);
    if (previous !== undefined && first <= previous[1] + 1) previous[1] = Math.max(previous[1], last);
    else merged.push([first, last]);
  }
  return merged;
}

/** Returns the ids in `ranges` that are not in `taken`; both ascending and disjoint. */
export function subtract(ranges: readonly IdRange[], taken: readonly IdRange[]): IdRange[] {
  const rest: IdRange[] = [];
  let index = 0;
  for (const [first, last] of ranges) {
    let from = first;
    while (index < taken.length && taken[index]![1] < from) index += 1;
    for (let at = index; at < taken.length && taken[at]![0] <= last; at++) {
      const [takenFirst, takenLast] = taken[at]!;
      if (takenFirst > from) rest.push([from, takenFirst - 1]);
      from = Math.max(from, takenLast + 1);
    }
    if (from <= last) rest.push([from, last]);
  }
  return rest;
}

/** Returns the ids that are in both; both ascending and disjoint. */
export function intersect(ranges: readonly IdRange[], others: readonly IdRange[]): IdRange[] {
  return subtract(ranges, subtract(ranges, others));
}

/** Returns whether an id is in one of some ranges, ascending and disjoint. */
export function includes(ranges: readonly IdRange[], id: number): boolean {
  const range = findByFirstId(ranges, ([firstId]) => firstId, id);
  return range !== undefined && id >= range[0] && id <= range[1];
}

/**
 * Finds the last item that begins at an id or before; the first one for ids before it, undefined only without items.
 *
 * @param items ascending
 */
export function findByFirstId<T>(items: readonly T[], firstIdOf: (item: T) => number, id: number): T | undefined {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (firstIdOf(items[middle]!) <= id) low = middle;
    else high = middle - 1;
  }
  return items[low];
}
