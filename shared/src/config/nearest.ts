/** What separates the words of a variable, a command or an option. */
const SEPARATORS = /[_-]+/;
/** A word may have a typing error for each of this many letters, and always one. */
const LETTERS_PER_ERROR = 3;
/** An abbreviation of fewer letters would begin half of all words. */
const MIN_ABBREVIATION = 3;
/** A missing or additional word costs more than any typing errors; then only a single nearest candidate is a guess. */
const WORD_COST = 100;

/**
 * Returns the name of `known` that was most likely meant by a mistyped one; undefined if none is near. Names are compared
 * word by word: what most of them have in common, such as `_INTERVAL`, does not make two of them near. Near are
 *
 * - words with few typing errors (`REMOTE_ULR`), run together (`HEALTHPORT`) or abbreviated (`MEM_INTERVAL`)
 * - names without a word or two of the candidate, if there is one such candidate (`DEVICE` for `DEVICE_ID`)
 * - names with a word or two behind the candidate (`RETENTION_TIME`)
 */
export function findNearest(typed: string, known: readonly string[]): string | undefined {
  const costs = known.map((name) => ({ name, cost: compareNames(typed, name) }));
  const lowest = Math.min(...costs.map(({ cost }) => cost));
  const [first, second] = costs.filter(({ cost }) => cost === lowest);
  if (lowest === Infinity || (lowest >= WORD_COST && second !== undefined)) return undefined;
  return first?.name;
}

/** Completes an error with the name that was most likely meant; empty if none is near. */
export function suggest(typed: string, known: readonly string[], prefix = ''): string {
  const guess = findNearest(typed, known);
  return guess === undefined ? '' : `; did you mean ${prefix}${guess}?`;
}

/** Returns how far a typed name is from a candidate; Infinity if it is not near. */
function compareNames(typed: string, candidate: string): number {
  const [given, wanted] = [typed, candidate].map((name) => name.toLowerCase().split(SEPARATORS)) as [
    string[],
    string[],
  ];
  if (given.length === wanted.length)
    return given.reduce((total, word, at) => total + compareWords(word, wanted[at]!), 0);
  const runTogether = countEdits(given.join(''), wanted.join(''));
  if (runTogether <= 1) return 1 + runTogether;
  const [shorter, longer] = given.length < wanted.length ? [given, wanted] : [wanted, given];
  const isMost = shorter.length * 2 >= longer.length;
  const isContained = shorter === given ? isSubsequence(given, wanted) : wanted.every((word, at) => given[at] === word);
  return isMost && isContained ? WORD_COST * (longer.length - shorter.length) : Infinity;
}

function compareWords(given: string, wanted: string): number {
  const edits = countEdits(given, wanted);
  const maxEdits = Math.max(1, Math.floor(given.length / LETTERS_PER_ERROR));
  const isAbbreviated =
    Math.min(given.length, wanted.length) >= MIN_ABBREVIATION && (wanted.startsWith(given) || given.startsWith(wanted));
  const isNear = edits === 0 || isAbbreviated || (edits <= maxEdits && edits < wanted.length);
  return isNear ? edits : Infinity;
}

function isSubsequence(words: readonly string[], of: readonly string[]): boolean {
  let found = 0;
  for (const word of of) if (word === words[found]) found += 1;
  return found === words.length;
}

/** Counts single-letter edits and swaps of neighbors (optimal string alignment, a restricted Damerau-Levenshtein distance). */
function countEdits(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let row = 1; row <= from.length; row++) {
    const [above, current] = [rows[row - 1]!, [row]];
    for (let column = 1; column <= to.length; column++) {
      const replaced = above[column - 1]! + (from[row - 1] === to[column - 1] ? 0 : 1);
      const isSwap = from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1];
      const swapped = row > 1 && column > 1 && isSwap ? rows[row - 2]![column - 2]! + 1 : Infinity;
      current.push(Math.min(above[column]! + 1, current[column - 1]! + 1, replaced, swapped));
    }
    rows.push(current);
  }
  return rows[from.length]![to.length]!;
}
