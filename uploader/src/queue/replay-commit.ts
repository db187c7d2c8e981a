import { intersect, merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import {
  listEntries,
  UNWATCHED,
  type AcceptedChunk,
  type AcceptedEntry,
  type ProvisionalRanges,
  type ReplayWindow,
  type SavedRanges,
} from './replay-state.ts';

/** What a commit has to write to the tables `provisional` and `settled`, besides the accepted chunks. */
export interface CommitPlan {
  readonly save: readonly ProvisionalRanges[];
  /** Rows of the table `provisional` to delete. */
  readonly drop: readonly number[];
  /** Ids to make pending again. */
  readonly requeue: readonly IdRange[];
}

/** Whether a commit would change the database. */
export function hasChanges({ accepted, confirmed, provisional }: ReplayWindow): boolean {
  return accepted.length > 0 || confirmed.length > 0 || provisional.some(isRequeued);
}

/** Whether a commit would make something pending again. */
export function isRequeueing(window: ReplayWindow): boolean {
  return listEntries(window).some(({ verdict }) => verdict.kind === 'requeue');
}

/** Returns what the next commit writes. */
export function planCommit(window: ReplayWindow): CommitPlan {
  const groups = groupAccepted(window);
  const lost = window.provisional.filter(isRequeued);
  return {
    save: groups
      .filter((group) => !isRequeued(group))
      // What was requeued before stays provisional if only the first-sent part of its chunk is requeued.
      .map((group) => (group.verdict.kind === 'requeue' ? { ...group, verdict: UNWATCHED } : group)),
    drop: [...window.confirmed, ...lost.map(({ rowId }) => rowId)],
    requeue: [...lost, ...groups.filter(isRequeued)].flatMap(({ ranges }) => ranges),
  };
}

/** @param saved the plan's `save` with the rows that the commit gave them */
export function completeCommit<Chunk extends AcceptedChunk>(
  window: ReplayWindow<Chunk>,
  { drop, requeue }: CommitPlan,
  saved: readonly SavedRanges[],
): ReplayWindow<Chunk> {
  const accepted = merge(window.accepted.flatMap(({ chunk }) => chunk.ranges));
  const kept = window.provisional.filter(({ rowId }) => !drop.includes(rowId));
  const requeued = merge([...subtract(window.requeued, accepted), ...requeue]);
  return { ...window, accepted: [], confirmed: [], provisional: [...kept, ...saved], requeued };
}

function isRequeued({ verdict, isReplay }: ProvisionalRanges): boolean {
  return verdict.kind === 'requeue' && (verdict.part === 'all' || !isReplay);
}

function groupAccepted({ lengthMs, accepted, requeued }: ReplayWindow): ProvisionalRanges[] {
  if (lengthMs === 0) return [];
  const groups = new Map<string, AcceptedEntry<AcceptedChunk>[]>();
  for (const entry of accepted) {
    const key = JSON.stringify(entry.verdict);
    groups.set(key, [...(groups.get(key) ?? []), entry]);
  }
  return [...groups.values()].flatMap((entries) => {
    const { verdict } = entries[0]!;
    const sentAtMs = Math.min(...entries.map((entry) => entry.sentAtMs));
    const all = merge(entries.flatMap(({ chunk }) => chunk.ranges));
    const parts = [
      { isReplay: false, ranges: subtract(all, requeued), verdict, sentAtMs },
      { isReplay: true, ranges: intersect(all, requeued), verdict, sentAtMs },
    ];
    return parts.filter(({ ranges }) => ranges.length > 0);
  });
}
