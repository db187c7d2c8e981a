import { intersect, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

/*
 * The replay window: which acknowledged samples the receiver may still lose, and what becomes of them.
 *
 * VictoriaMetrics responds before it writes to disk. Killed in between, it loses what it acknowledged, and the only
 * trace is that the connection closes. So acknowledged samples stay provisional until their connection has carried
 * another good response at least a replay window after their commit.
 *
 *   accepted     a response acknowledged them, the database does not have that yet
 *     commit                                                     → provisional
 *     connection lost                                            → pending, with the next commit
 *   provisional  delivered in the database, with a row in the table `provisional`
 *     good response over their connection, a window later        → confirmed
 *     response announces that the connection will close          → provisional; the connection of the next good
 *                                                                   response takes them over: such a close is no crash
 *     connection lost, never requeued before                     → pending, with the next commit
 *     connection lost, requeued before                           → in doubt
 *   in doubt
 *     the receiver responds at once over another connection      → provisional there, or confirmed if old enough
 *     it does not                                                → pending, with the next commit
 *   confirmed    final; the next commit deletes their row of the table, so that confirming costs no commit of its own
 *
 * The doubt exists for proxies that end every idle connection: without it the same samples would be requeued for ever.
 * A receiver that was killed cannot respond at once.
 */

/** A chunk, or the part of one, that the receiver accepted. */
export interface AcceptedChunk {
  readonly ranges: readonly IdRange[];
  readonly count: number;
}

/** A response with which the receiver confirms that it works. */
export interface GoodResponse<Chunk extends AcceptedChunk = AcceptedChunk> {
  /** The connection that carried it; undefined if unknown. */
  readonly connection: number | undefined;
  /** Whether it announces that the connection will close. */
  readonly isClosing: boolean;
  /** What it acknowledges; undefined for a request without samples. */
  readonly accepted?: Chunk;
}

/** Ids that became provisional together: of one connection, all requeued before or none. */
export interface ProvisionalRanges {
  readonly ranges: readonly IdRange[];
  /** Undefined after an announced close. */
  readonly connection: number | undefined;
  readonly isReplay: boolean;
}

/** The same with its row in the table `provisional`. */
export interface SavedRanges extends ProvisionalRanges {
  readonly rowId: number;
  /** Monotonic milliseconds of the commit. */
  readonly acceptedAtMs: number;
}

/** What the next commit requeues of a lost connection: what was sent for the first time over it, or everything. */
type RequeuedPart = 'first-sent' | 'all';

/** The state; each function below returns the next one. */
export interface ReplayWindow<Chunk extends AcceptedChunk = AcceptedChunk> {
  /** Milliseconds; 0 makes every commit final. */
  readonly lengthMs: number;
  readonly accepted: readonly { readonly chunk: Chunk; readonly connection: number | undefined }[];
  readonly provisional: readonly SavedRanges[];
  /** Rows of the table that the next commit deletes. */
  readonly confirmed: readonly number[];
  /** Connections that ended since the last commit. */
  readonly lost: ReadonlyMap<number, RequeuedPart>;
  /** Ids that were requeued and not accepted since. */
  readonly requeued: readonly IdRange[];
}

/** What a commit has to write to the tables `provisional` and `settled`, besides the accepted chunks. */
export interface CommitPlan {
  readonly save: readonly ProvisionalRanges[];
  /** Rows of the table `provisional` to delete. */
  readonly drop: readonly number[];
  /** Ids to make pending again. */
  readonly requeue: readonly IdRange[];
}

/** @param requeued ids that an earlier process left provisional */
export function createReplayWindow<Chunk extends AcceptedChunk>(
  lengthMs: number,
  requeued: readonly IdRange[] = [],
): ReplayWindow<Chunk> {
  return { lengthMs, accepted: [], provisional: [], confirmed: [], lost: new Map(), requeued: merge(requeued) };
}

/** Adds what a good response accepted and confirms what its connection carried a replay window ago. */
export function applyResponse<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  { connection, isClosing, accepted: chunk }: GoodResponse<Chunk>,
  nowMonotonicMs: number,
): ReplayWindow<Chunk> {
  const isNothing = chunk === undefined || chunk.count === 0;
  const accepted = isNothing ? window.accepted : [...window.accepted, { chunk, connection }];
  if (connection === undefined) return { ...window, accepted };
  const provisional = reassign(window.provisional, undefined, connection);
  const latestMs = nowMonotonicMs - window.lengthMs;
  const isFinal = (entry: SavedRanges): boolean => entry.connection === connection && entry.acceptedAtMs <= latestMs;
  const nextConnection = isClosing ? undefined : connection;
  return {
    ...window,
    accepted: reassign(reassign(accepted, undefined, connection), connection, nextConnection),
    provisional: reassign(
      provisional.filter((entry) => !isFinal(entry)),
      connection,
      nextConnection,
    ),
    confirmed: [...window.confirmed, ...provisional.filter(isFinal).map(({ rowId }) => rowId)],
  };
}

/** Whether a connection carried samples that nothing has confirmed yet. */
export function isUnconfirmed({ lengthMs, provisional, accepted }: ReplayWindow, connection: number): boolean {
  return lengthMs > 0 && [...provisional, ...accepted].some((entry) => entry.connection === connection);
}

/** Marks a connection as ended: the next commit requeues what it carried for the first time and leaves the rest in doubt. */
export function loseConnection<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  connection: number,
): ReplayWindow<Chunk> {
  return { ...window, lost: new Map([[connection, 'first-sent'], ...window.lost]) };
}

/**
 * Decides on what a lost connection left in doubt.
 *
 * @param successor the connection over which the receiver responded at once; undefined if it did not
 */
export function resolveDoubt<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  { connection, successor }: { readonly connection: number; readonly successor: number | undefined },
  nowMonotonicMs: number,
): ReplayWindow<Chunk> {
  if (successor === undefined) return { ...window, lost: new Map([...window.lost, [connection, 'all']]) };
  const provisional = reassign(window.provisional, connection, successor);
  return applyResponse({ ...window, provisional }, { connection: successor, isClosing: false }, nowMonotonicMs);
}

/** Whether a commit would change the database. */
export function hasChanges({ accepted, confirmed, lost }: ReplayWindow): boolean {
  return accepted.length > 0 || confirmed.length > 0 || lost.size > 0;
}

/** Returns what the next commit writes. */
export function planCommit(window: ReplayWindow): CommitPlan {
  const groups = groupAccepted(window);
  const isLost = ({ connection, isReplay }: ProvisionalRanges): boolean => {
    const part = connection === undefined ? undefined : window.lost.get(connection);
    return part === 'all' || (part === 'first-sent' && !isReplay);
  };
  const lost = window.provisional.filter(isLost);
  return {
    save: groups.filter((group) => !isLost(group)),
    drop: [...window.confirmed, ...lost.map(({ rowId }) => rowId)],
    requeue: [...lost, ...groups.filter(isLost)].flatMap(({ ranges }) => ranges),
  };
}

/** @param saved the plan's `save` with the rows that the commit gave them */
export function completeCommit<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  { drop, requeue }: CommitPlan,
  saved: readonly SavedRanges[],
): ReplayWindow<Chunk> {
  const accepted = merge(window.accepted.flatMap(({ chunk }) => chunk.ranges));
  const provisional = [...window.provisional.filter(({ rowId }) => !drop.includes(rowId)), ...saved];
  const requeued = [...subtract(window.requeued, accepted), ...requeue];
  return { ...createReplayWindow<Chunk>(window.lengthMs, requeued), provisional };
}

function groupAccepted({ lengthMs, accepted, requeued }: ReplayWindow): ProvisionalRanges[] {
  if (lengthMs === 0) return [];
  const connections = new Set(accepted.map(({ connection }) => connection));
  return [...connections].flatMap((connection) => {
    const entries = accepted.filter((entry) => entry.connection === connection);
    const all = merge(entries.flatMap(({ chunk }) => chunk.ranges));
    const parts = [
      { isReplay: false, ranges: subtract(all, requeued), connection },
      { isReplay: true, ranges: intersect(all, requeued), connection },
    ];
    return parts.filter(({ ranges }) => ranges.length > 0);
  });
}

/** Hands entries of one connection (undefined: of none) over to another. */
function reassign<Entry extends { readonly connection: number | undefined }>(
  entries: readonly Entry[],
  from: number | undefined,
  to: number | undefined,
): Entry[] {
  return entries.map((entry) => (entry.connection === from ? { ...entry, connection: to } : entry));
}
