/**
 * Returns the word of `known` that takes the fewest single-letter edits to become `word` (Levenshtein's distance), the
 * first of equally near ones; an empty text if none is within `maxEdits`.
 */
export function findNearest(word: string, known: readonly string[], maxEdits = Infinity): string {
  let best = '';
  let bestDistance = Infinity;
  for (const candidate of known) {
    const distance = countEdits(word, candidate);
    if (distance <= maxEdits && distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function countEdits(from: string, to: string): number {
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const replaced = previous[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      current.push(Math.min(previous[column]! + 1, current[column - 1]! + 1, replaced));
    }
    previous = current;
  }
  return previous[to.length]!;
}
