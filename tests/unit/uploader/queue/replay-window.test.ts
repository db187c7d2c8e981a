import { describe, expect, test } from '@jest/globals';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import {
  applyResponse,
  completeCommit,
  createReplayWindow,
  hasChanges,
  isUnconfirmed,
  loseConnection,
  planCommit,
  resolveDoubt,
  type ReplayWindow,
} from '../../../../uploader/src/queue/replay-window.ts';

const LENGTH_MS = 15_000;
const empty = createReplayWindow(LENGTH_MS);

/** Applies a response over a connection that accepts one range. */
function accept(window: ReplayWindow, range: IdRange, connection: number | undefined, isClosing = false): ReplayWindow {
  const accepted = { ranges: [range], count: range[1] - range[0] + 1 };
  return applyResponse(window, { connection, isClosing, accepted }, 0);
}

/** Commits as Acknowledgements does, with row ids that continue those of the window. */
function commit(window: ReplayWindow, acceptedAtMs = 0): ReplayWindow {
  const plan = planCommit(window);
  const firstRowId = Math.max(0, ...window.provisional.map(({ rowId }) => rowId)) + 1;
  const saved = plan.save.map((group, index) => ({ ...group, acceptedAtMs, rowId: firstRowId + index }));
  return completeCommit(window, plan, saved);
}

describe('replay window', () => {
  test('accepted ranges become provisional with the commit, one entry per connection', () => {
    const window = [1, 3].reduce((next, first) => accept(next, [first, first + 1], 1), accept(empty, [7, 8], 2));
    expect(hasChanges(window)).toBe(true);
    expect(planCommit(window)).toEqual({
      save: [
        { isReplay: false, ranges: [[7, 8]], connection: 2 },
        { isReplay: false, ranges: [[1, 4]], connection: 1 },
      ],
      drop: [],
      requeue: [],
    });
    expect(hasChanges(commit(window))).toBe(false);
  });

  test('a response that accepts no sample leaves nothing to commit', () => {
    const accepted = { ranges: [], count: 0 };
    expect(hasChanges(applyResponse(empty, { connection: 1, isClosing: false, accepted }, 0))).toBe(false);
  });

  test('a good response confirms what its own connection carried at least a window ago', () => {
    const window = commit(accept(accept(empty, [1, 4], 1), [5, 6], 2), 1_000);
    const respond = (nowMs: number) => applyResponse(window, { connection: 1, isClosing: false }, nowMs);
    expect(respond(1_000 + LENGTH_MS - 1).confirmed).toEqual([]);
    expect(respond(1_000 + LENGTH_MS).confirmed).toEqual([1]);
    expect(planCommit(respond(1_000 + LENGTH_MS))).toEqual({ save: [], drop: [1], requeue: [] });
    expect(commit(respond(1_000 + LENGTH_MS)).provisional.map(({ connection }) => connection)).toEqual([2]);
  });

  test('a response over an unknown connection confirms nothing', () => {
    const window = commit(accept(empty, [1, 4], 1));
    const next = applyResponse(window, { connection: undefined, isClosing: false }, 2 * LENGTH_MS);
    expect(next).toEqual(window);
  });

  test('after an announced close the connection of the next good response takes over', () => {
    const closed = accept(commit(accept(empty, [1, 4], 1)), [5, 6], 1, true);
    expect(isUnconfirmed(closed, 1)).toBe(false);
    const next = applyResponse(closed, { connection: 2, isClosing: false }, 0);
    expect([...next.provisional, ...next.accepted].map(({ connection }) => connection)).toEqual([2, 2]);
  });

  test('a lost connection requeues what it carried for the first time, committed or not', () => {
    const window = accept(commit(accept(accept(empty, [1, 2], 1), [3, 4], 2)), [5, 6], 1);
    expect(planCommit(loseConnection(window, 1))).toEqual({
      save: [],
      drop: [1],
      requeue: [
        [1, 2],
        [5, 6],
      ],
    });
    const next = commit(loseConnection(window, 1));
    expect(next.provisional.map(({ ranges }) => ranges)).toEqual([[[3, 4]]]);
    expect(next.requeued).toEqual([
      [1, 2],
      [5, 6],
    ]);
    expect([isUnconfirmed(next, 1), hasChanges(next)]).toEqual([false, false]);
  });

  test('a lost connection leaves in doubt what was requeued before', () => {
    const window = commit(accept(createReplayWindow(LENGTH_MS, [[1, 4]]), [3, 6], 1));
    expect(window.provisional.map(({ ranges, isReplay }) => [isReplay, ranges])).toEqual([
      [false, [[5, 6]]],
      [true, [[3, 4]]],
    ]);
    expect(window.requeued).toEqual([[1, 2]]);
    const lost = loseConnection(window, 1);
    expect(planCommit(lost).requeue).toEqual([[5, 6]]);
    expect(isUnconfirmed(commit(lost), 1)).toBe(true);
  });

  describe('samples in doubt', () => {
    const inDoubt = commit(loseConnection(commit(accept(createReplayWindow(LENGTH_MS, [[1, 4]]), [1, 4], 1)), 1));

    test('move to the connection over which the receiver responded', () => {
      const next = resolveDoubt(inDoubt, { connection: 1, successor: 2 }, LENGTH_MS - 1);
      expect(next.provisional).toMatchObject([{ connection: 2, isReplay: true, ranges: [[1, 4]] }]);
      expect(hasChanges(next)).toBe(false);
    });

    test('are confirmed by that response if they are old enough', () => {
      const next = resolveDoubt(inDoubt, { connection: 1, successor: 2 }, LENGTH_MS);
      expect([next.provisional, next.confirmed]).toEqual([[], [1]]);
    });

    test('are requeued if the receiver did not respond', () => {
      const next = resolveDoubt(inDoubt, { connection: 1, successor: undefined }, LENGTH_MS);
      expect(planCommit(next)).toEqual({ save: [], drop: [1], requeue: [[1, 4]] });
      // Also if that commit fails and the connection is reported as lost once more.
      expect(planCommit(loseConnection(next, 1)).requeue).toEqual([[1, 4]]);
    });
  });

  test('a window of length 0 makes every commit final', () => {
    const window = accept(createReplayWindow(0), [1, 4], 1);
    expect(isUnconfirmed(window, 1)).toBe(false);
    expect(planCommit(window)).toEqual({ save: [], drop: [], requeue: [] });
    expect(commit(window).accepted).toEqual([]);
  });

  test('no function changes the window that it is given', () => {
    const window = commit(accept(accept(empty, [1, 2], 1), [3, 4], 2));
    const before = structuredClone(window);
    accept(window, [5, 6], 1, true);
    resolveDoubt(loseConnection(window, 1), { connection: 2, successor: 3 }, LENGTH_MS);
    commit(loseConnection(window, 2));
    expect(window).toEqual(before);
  });
});
