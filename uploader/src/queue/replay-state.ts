import { merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { NO_HABIT, type IdleHabit } from './idle-habit.ts';
import type { ConnectionEnd } from './restart-signs.ts';
import { createRestartQuestion, type RestartQuestion } from './restart-question.ts';

/** A chunk, or the part of one, that the receiver accepted. */
export interface AcceptedChunk {
  readonly ranges: readonly IdRange[];
  readonly count: number;
}

/** What is to become of accepted samples. */
export type Verdict =
  /** The end of this connection would be a sign; undefined: none is known that would end with the receiver. */
  | { readonly kind: 'watched'; readonly connection: number | undefined }
  /** Their connection ended at the age at which this path ends idle connections. */
  | { readonly kind: 'presumed'; readonly sinceMs: number }
  | { readonly kind: 'in doubt'; readonly sinceMs: number; readonly isRefused: boolean }
  /** With the next commit: what of it was sent for the first time, or all of it. */
  | { readonly kind: 'requeue'; readonly part: 'first-sent' | 'all' };

/** Ids that became provisional together: of one verdict, all requeued before or none. */
export interface ProvisionalRanges {
  readonly ranges: readonly IdRange[];
  readonly verdict: Verdict;
  readonly isReplay: boolean;
  /** When the first of them was sent. */
  readonly sentAtMs: number;
}

/** The same with its row in the table `provisional`. */
export interface SavedRanges extends ProvisionalRanges {
  readonly rowId: number;
  /** The time of the commit. */
  readonly acceptedAtMs: number;
}

/** What a response accepted, until the commit. */
export interface AcceptedEntry<Chunk> {
  readonly chunk: Chunk;
  readonly verdict: Verdict;
  readonly sentAtMs: number;
}

/** The state of the replay window. All times are milliseconds since boot. */
export interface ReplayWindow<Chunk extends AcceptedChunk = AcceptedChunk> {
  /** Milliseconds; 0 makes every commit final. */
  readonly lengthMs: number;
  readonly accepted: readonly AcceptedEntry<Chunk>[];
  readonly provisional: readonly SavedRanges[];
  /** Rows of the table that the next commit deletes. */
  readonly confirmed: readonly number[];
  /** Ids that were requeued and not accepted since. */
  readonly requeued: readonly IdRange[];
  /** The last connections that ended: a response may be recorded after the end of its connection. */
  readonly ended: readonly ConnectionEnd[];
  readonly habit: IdleHabit;
  /** The last end of an idle connection that is in doubt. */
  readonly doubtfulEnd: { readonly idleMs: number; readonly atMs: number } | undefined;
  readonly question: RestartQuestion;
}

export interface ReplayWindowOptions {
  readonly lengthMs: number;
  /** Shortest time between two questions; 0, the default: the receiver is never asked. */
  readonly questionIntervalMs?: number;
}

/** The verdict on samples of which no connection is known that would end with the receiver. */
export const UNWATCHED: Verdict = { kind: 'watched', connection: undefined };

/** @param requeued ids that an earlier process left provisional */
export function createReplayWindow<Chunk extends AcceptedChunk>(
  { lengthMs, questionIntervalMs = 0 }: ReplayWindowOptions,
  requeued: readonly IdRange[] = [],
): ReplayWindow<Chunk> {
  return {
    lengthMs,
    accepted: [],
    provisional: [],
    confirmed: [],
    requeued: merge(requeued),
    ended: [],
    habit: NO_HABIT,
    doubtfulEnd: undefined,
    question: createRestartQuestion(questionIntervalMs),
  };
}

/** What a new verdict depends on: its samples, known only in part before the commit. */
export type JudgedEntry = Pick<AcceptedEntry<unknown>, 'verdict' | 'sentAtMs'> &
  Partial<Pick<SavedRanges, 'acceptedAtMs' | 'isReplay'>>;

export function listEntries({ accepted, provisional }: ReplayWindow): JudgedEntry[] {
  return [...accepted, ...provisional];
}

/** Gives each entry the verdict that `judge` returns for it. */
export function judgeEntries<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  judge: (entry: JudgedEntry) => Verdict,
): ReplayWindow<Chunk> {
  const judged = <Entry extends JudgedEntry>(entry: Entry): Entry => ({ ...entry, verdict: judge(entry) });
  return { ...window, accepted: window.accepted.map(judged), provisional: window.provisional.map(judged) };
}

/** Makes entries final; the next commit deletes their rows. */
export function confirmEntries<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  isFinal: (entry: SavedRanges) => boolean,
): ReplayWindow<Chunk> {
  const rows = window.provisional.filter(isFinal).map(({ rowId }) => rowId);
  if (rows.length === 0) return window;
  const provisional = window.provisional.filter(({ rowId }) => !rows.includes(rowId));
  return { ...window, provisional, confirmed: [...window.confirmed, ...rows] };
}
