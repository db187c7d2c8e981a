/**
 * How a path ends idle connections. A proxy or receiver with an idle timeout ends each idle connection at the same age,
 * so such an end has nothing to do with the receiver. A crash ends it at any age.
 */
export interface IdleHabit {
  /** The age at which the path ends idle connections, in milliseconds; undefined if it has no such habit. */
  readonly idleMs: number | undefined;
  /** Ages of the last ends that nobody could explain. */
  readonly unexplained: readonly number[];
}

export const NO_HABIT: IdleHabit = { idleMs: undefined, unexplained: [] };

/** How far the ends of one habit lie apart. */
const TOLERANCE = 0.1;
const MIN_TOLERANCE_MS = 250;
/** Below this age an end is not learned from one example: between frequent uploads all ends are young. */
const MIN_LEARNED_MS = 1_000;
/** Unexplained ends at one age that make a habit. Two crashes may come at one age by chance. */
const ALIKE = 3;

/** Returns whether an end at this age is the path's habit. */
export function isHabitual({ idleMs }: IdleHabit, endMs: number): boolean {
  return idleMs !== undefined && Math.abs(endMs - idleMs) <= toleranceOf(idleMs);
}

/** Learns from an end after which the receiver was still the same process. */
export function learnEnd(habit: IdleHabit, endMs: number): IdleHabit {
  return endMs < MIN_LEARNED_MS ? habit : { idleMs: endMs, unexplained: [] };
}

/** Learns from an end that nobody can explain: several in a row at one age are a habit. */
export function learnUnexplainedEnd(habit: IdleHabit, endMs: number): IdleHabit {
  const unexplained = [...habit.unexplained, endMs].slice(-ALIKE);
  const isAlike = unexplained.every((each) => Math.abs(each - endMs) <= toleranceOf(endMs));
  return isAlike && unexplained.length === ALIKE ? { idleMs: endMs, unexplained: [] } : { ...habit, unexplained };
}

/** Whether a connection that was used after it had been idle has outlived the habit: the path does not have it. */
export function isRefuted({ idleMs }: IdleHabit, survivedMs: number): boolean {
  return idleMs !== undefined && survivedMs > idleMs + MIN_TOLERANCE_MS;
}

function toleranceOf(idleMs: number): number {
  return Math.max(MIN_TOLERANCE_MS, TOLERANCE * idleMs);
}
