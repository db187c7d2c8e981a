import { isHabitual, isRefuted, learnEnd, learnUnexplainedEnd, NO_HABIT } from './idle-habit.ts';
import {
  confirmEntries,
  judgeEntries,
  listEntries,
  UNWATCHED,
  type AcceptedChunk,
  type JudgedEntry,
  type ReplayWindow,
  type SavedRanges,
  type Verdict,
} from './replay-state.ts';
import { canAsk, nextQuestionMs, recordAnswer, recordQuestion, recordSilence } from './restart-question.ts';
import type { RestartAnswer, RestartSign } from './restart-signs.ts';

/*
 * The replay window: which accepted samples the receiver may still lose, and what becomes of them.
 *
 * VictoriaMetrics responds before it writes to disk. Killed in between, it loses what it accepted within about 5 s, and
 * never reports that. So accepted samples stay provisional until a good response came at least a replay window later, and
 * no sign of a restart came in between. A sign is a doubt, not a loss: connections end all the time. The answer to a
 * question settles it: since when does the receiver run?
 *
 * Samples that were accepted together:
 *
 *   accepted      a response acknowledged them, the database does not have that yet
 *     commit                                                  → provisional
 *   provisional   delivered in the database, with a row in the table `provisional`; watched by the connection that
 *                 carried them, or by none
 *     good response over that connection, a window later      → confirmed
 *     that connection ends                                    → by the kind of its end, see below
 *     watched by none: a good response over any connection    → watched by that one, or confirmed if a window old
 *   presumed      provisional; their connection ended at the age at which this path ends idle connections (idle-habit.ts)
 *     the next connection ends at that age too                → provisional, watched by none
 *     a connection outlives that age, or 5 minutes pass       → as after an end of another age
 *   in doubt      a sign came, and the receiver can be asked
 *     it ran already when they were sent                      → provisional, or confirmed if a window old
 *     it has been started since                               → pending, with the next commit
 *     it cannot be found out                                  → as if it could not be asked
 *   confirmed     final; the next commit deletes their row of the table, so that confirming costs no commit of its own
 *
 * Signs, and what they cover:
 *
 *   the end of a connection
 *     announced: `close` or HTTP/1.0 in its last response, its announced idle timeout has passed, closed by this side
 *                                                      no sign: what it watched is watched by none
 *     idle, at the age at which this path ends idle connections
 *                                                      what it watched is presumed
 *     any other                                        what it watched, and what is presumed; if it broke during a
 *                                                      request also what none watches
 *   a proxy's 5xx                                      everything
 *   a refused connection                               everything
 *
 * A sign while the receiver cannot be asked (restart-question.ts): what was sent for the first time is requeued, what was
 * requeued before stays provisional, since a proxy may give such signs for ever; after a refused connection all of it is
 * requeued, since then nobody listened.
 *
 * An answer may also show of samples without a sign that the receiver was started after it had accepted them: then they
 * are requeued as well.
 */

/** A response with which the receiver confirms that it works. */
export interface GoodResponse<Chunk extends AcceptedChunk = AcceptedChunk> {
  /** The connection that carried it; undefined if unknown. */
  readonly connection: number | undefined;
  /** Whether it announces that the connection will close. */
  readonly isClosing: boolean;
  /** For how long the connection had been idle before the request; undefined for a new one. */
  readonly idleBeforeMs?: number | undefined;
  /** When its request was sent; the present if unknown. */
  readonly sentAtMs?: number | undefined;
  /** What it acknowledges; undefined for a request without samples. */
  readonly accepted?: Chunk;
}

const MAX_ENDED = 16;
const MAX_PRESUMED_MS = 5 * 60_000;

/** Adds what a good response accepted and confirms what its connection, or none, has watched for a replay window. */
export function applyResponse<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  response: GoodResponse<Chunk>,
  nowMs: number,
): ReplayWindow<Chunk> {
  const { connection, isClosing, idleBeforeMs, sentAtMs = nowMs, accepted: chunk } = response;
  const verdict: Verdict = { kind: 'watched', connection: isClosing ? undefined : connection };
  const isNothing = chunk === undefined || chunk.count === 0;
  const accepted = isNothing ? window.accepted : [...window.accepted, { chunk, verdict, sentAtMs }];
  if (connection === undefined) return { ...window, accepted };
  const isWatched = ({ verdict: each }: JudgedEntry): boolean => isWatchedBy(each, [undefined, connection]);
  const isFinal = (entry: SavedRanges): boolean => isWatched(entry) && entry.acceptedAtMs <= nowMs - window.lengthMs;
  const confirmed = confirmEntries({ ...window, accepted }, isFinal);
  const watched = judgeEntries(confirmed, (entry) => (isWatched(entry) ? verdict : entry.verdict));
  const question = isNothing ? window.question : { ...window.question, isResponding: true };
  const isOutlived = idleBeforeMs !== undefined && isRefuted(window.habit, idleBeforeMs);
  const next = doubtPresumed({ ...watched, question }, isOutlived, nowMs);
  return isClosing ? next : applyEarlierEnd(next, connection, nowMs);
}

/** Applies a sign that the receiver may have been restarted. */
export function applySign<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  sign: RestartSign,
  nowMs: number,
): ReplayWindow<Chunk> {
  const noted = noteEnd(window, sign);
  const isCovered = ({ verdict }: JudgedEntry): boolean => covers(sign, verdict);
  const isConcerned = (entry: JudgedEntry): boolean => isCovered(entry) || entry.verdict.kind === 'in doubt';
  if (window.lengthMs === 0 || !listEntries(noted).some(isConcerned)) return noted;
  if (isAnnounced(sign)) return judgeEntries(noted, (entry) => (isCovered(entry) ? UNWATCHED : entry.verdict));
  const idleMs = sign.kind === 'connection ended' ? sign.idleMs : undefined;
  const isAsked = canAsk(window.question, nowMs);
  const habit = idleMs === undefined || isAsked ? window.habit : learnUnexplainedEnd(window.habit, idleMs);
  if (idleMs !== undefined && isHabitual(habit, idleMs)) return presumeHabit({ ...noted, habit }, isCovered, nowMs);
  const doubtfulEnd = idleMs === undefined ? window.doubtfulEnd : { idleMs, atMs: nowMs };
  // No connection watches what is presumed or in doubt: any sign may be of another restart.
  const isDoubtful = (entry: JudgedEntry): boolean => isConcerned(entry) || entry.verdict.kind === 'presumed';
  return raiseDoubt({ ...noted, habit, doubtfulEnd }, isDoubtful, {
    nowMs,
    isRefused: sign.kind === 'connection refused',
  });
}

/** Returns when the receiver is to be asked since when it runs; undefined if nothing is in doubt. */
export function findNextQuestion(window: ReplayWindow): number | undefined {
  const isInDoubt = listEntries(window).some(({ verdict }) => verdict.kind === 'in doubt');
  return isInDoubt ? nextQuestionMs(window.question) : undefined;
}

/** Applies the answer to a question. @param askedAtMs when it was sent: the answer settles no later sign */
export function applyAnswer<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  answer: RestartAnswer,
  { askedAtMs, nowMs }: { readonly askedAtMs: number; readonly nowMs: number },
): ReplayWindow<Chunk> {
  const asked = recordQuestion(window.question, askedAtMs);
  if (answer.kind !== 'started') {
    const question = recordSilence(asked, answer.kind === 'unreadable', nowMs);
    return canAsk(question, nowMs) ? { ...window, question } : decideUnasked({ ...window, question });
  }
  const isAnswered = ({ verdict }: JudgedEntry): boolean => verdict.kind === 'in doubt' && verdict.sinceMs <= askedAtMs;
  const isLost = (entry: JudgedEntry): boolean =>
    isAnswered(entry) ? entry.sentAtMs < answer.latestMs : (entry.acceptedAtMs ?? nowMs) < answer.earliestMs;
  const judged = judgeEntries(window, (entry): Verdict => {
    if (isLost(entry)) return { kind: 'requeue', part: 'all' };
    return isAnswered(entry) ? { kind: 'watched', connection: answer.connection } : entry.verdict;
  });
  const isSame = !listEntries(window).some(isLost);
  const { doubtfulEnd } = window;
  const isEndAnswered = doubtfulEnd !== undefined && doubtfulEnd.atMs <= askedAtMs;
  const next = {
    ...judged,
    question: recordAnswer(asked, isSame),
    habit: isSame && isEndAnswered ? learnEnd(window.habit, doubtfulEnd.idleMs) : window.habit,
    doubtfulEnd: isEndAnswered ? undefined : doubtfulEnd,
  };
  const confirmed = confirmEntries(next, ({ verdict, sentAtMs, acceptedAtMs }) => {
    const isOldEnough = acceptedAtMs <= askedAtMs - window.lengthMs;
    return isProvisional(verdict) && sentAtMs >= answer.latestMs && isOldEnough;
  });
  return answer.connection === undefined ? confirmed : applyEarlierEnd(confirmed, answer.connection, nowMs);
}

interface DoubtTime {
  readonly nowMs: number;
  readonly isRefused: boolean;
}

function raiseDoubt<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  isDoubtful: (entry: JudgedEntry) => boolean,
  { nowMs, isRefused }: DoubtTime,
): ReplayWindow<Chunk> {
  const doubted = judgeEntries(window, (entry): Verdict => {
    const wasRefused = entry.verdict.kind === 'in doubt' && entry.verdict.isRefused;
    return isDoubtful(entry) ? { kind: 'in doubt', sinceMs: nowMs, isRefused: isRefused || wasRefused } : entry.verdict;
  });
  return canAsk(window.question, nowMs) ? doubted : decideUnasked(doubted);
}

/** The second end at one age proves what was presumed at the first. */
function presumeHabit<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  isCovered: (entry: JudgedEntry) => boolean,
  nowMs: number,
): ReplayWindow<Chunk> {
  return judgeEntries(window, (entry): Verdict => {
    if (entry.verdict.kind === 'presumed') return UNWATCHED;
    return isCovered(entry) ? { kind: 'presumed', sinceMs: nowMs } : entry.verdict;
  });
}

/** Doubts what was presumed of a habit that the path does not have, or that no other end has proved for long. */
function doubtPresumed<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  isOutlived: boolean,
  nowMs: number,
): ReplayWindow<Chunk> {
  const isDoubtful = ({ verdict }: JudgedEntry): boolean =>
    verdict.kind === 'presumed' && (isOutlived || nowMs - verdict.sinceMs > MAX_PRESUMED_MS);
  const next = isOutlived ? { ...window, habit: NO_HABIT } : window;
  return listEntries(next).some(isDoubtful) ? raiseDoubt(next, isDoubtful, { nowMs, isRefused: false }) : next;
}

/** Decides on everything in doubt as if the receiver could not be asked. */
function decideUnasked<Chunk extends AcceptedChunk>(window: ReplayWindow<Chunk>): ReplayWindow<Chunk> {
  return judgeEntries({ ...window, doubtfulEnd: undefined }, ({ verdict, isReplay }): Verdict => {
    if (verdict.kind !== 'in doubt') return verdict;
    if (verdict.isRefused) return { kind: 'requeue', part: 'all' };
    return isReplay === true ? UNWATCHED : { kind: 'requeue', part: 'first-sent' };
  });
}

/** Applies the end of a connection that came before what it carried was recorded. */
function applyEarlierEnd<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  connection: number,
  nowMs: number,
): ReplayWindow<Chunk> {
  const end = window.ended.find((each) => each.connection === connection);
  return end === undefined ? window : applySign(window, end, nowMs);
}

function isProvisional({ kind }: Verdict): boolean {
  return kind === 'watched' || kind === 'presumed';
}

function noteEnd<Chunk extends AcceptedChunk>(window: ReplayWindow<Chunk>, sign: RestartSign): ReplayWindow<Chunk> {
  return sign.kind === 'connection ended' ? { ...window, ended: [...window.ended, sign].slice(-MAX_ENDED) } : window;
}

function isAnnounced(sign: RestartSign): boolean {
  return sign.kind === 'connection ended' && sign.isAnnounced;
}

/** Whether a sign concerns samples with this verdict. */
function covers(sign: RestartSign, verdict: Verdict): boolean {
  if (sign.kind !== 'connection ended') return verdict.kind !== 'requeue';
  const { connection, idleMs } = sign;
  return isWatchedBy(verdict, idleMs === undefined ? [undefined, connection] : [connection]);
}

function isWatchedBy(verdict: Verdict, connections: readonly (number | undefined)[]): boolean {
  return verdict.kind === 'watched' && connections.includes(verdict.connection);
}
