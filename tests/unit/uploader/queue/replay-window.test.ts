// Longer than a test should be: each transition of the replay window is a case.
import { describe, expect, test } from '@jest/globals';

import type { IdRange } from '@thugshells/shared/database/id-ranges.ts';

import { completeCommit, hasChanges, planCommit } from '../../../../uploader/src/queue/replay-commit.ts';
import { createReplayWindow, type ReplayWindow } from '../../../../uploader/src/queue/replay-state.ts';
import {
  applyAnswer,
  applyResponse,
  applySign,
  findNextQuestion,
} from '../../../../uploader/src/queue/replay-window.ts';
import type { ConnectionEnd } from '../../../../uploader/src/queue/restart-signs.ts';

const LENGTH_MS = 15_000;
const HOUR_MS = 3_600_000;
const empty = createReplayWindow({ lengthMs: LENGTH_MS });
const asking = createReplayWindow({ lengthMs: LENGTH_MS, questionIntervalMs: 5_000 });

/** Applies a response over a connection that accepts one range. */
function accept(
  window: ReplayWindow,
  range: IdRange,
  { connection = 1, isClosing = false, nowMs = 0 }: { connection?: number; isClosing?: boolean; nowMs?: number } = {},
): ReplayWindow {
  const accepted = { ranges: [range], count: range[1] - range[0] + 1 };
  return applyResponse(window, { connection, isClosing, accepted }, nowMs);
}

/** Commits as Acknowledgements does, with row ids that continue those of the window. */
function commit(window: ReplayWindow, acceptedAtMs = 0): ReplayWindow {
  const plan = planCommit(window);
  const firstRowId = Math.max(0, ...window.provisional.map(({ rowId }) => rowId)) + 1;
  const saved = plan.save.map((group, index) => ({ ...group, acceptedAtMs, rowId: firstRowId + index }));
  return completeCommit(window, plan, saved);
}

/** The end of a connection that had been idle. */
function idleEnd(connection: number, idleMs: number, more: Partial<ConnectionEnd> = {}): ConnectionEnd {
  return { kind: 'connection ended', connection, isAnnounced: false, idleMs, ...more };
}

const verdicts = ({ accepted, provisional }: ReplayWindow): string[] =>
  [...accepted, ...provisional].map(({ verdict }) => verdict.kind);

/** The receiver has been running since this time. */
function startedAt(window: ReplayWindow, startMs: number, nowMs: number, connection: number | undefined = 9) {
  const answer = { kind: 'started', earliestMs: startMs - 3_000, latestMs: startMs, connection } as const;
  return applyAnswer(window, answer, { askedAtMs: nowMs, nowMs });
}

describe('replay window', () => {
  test('accepted ranges become provisional with the commit, one entry per connection', () => {
    const window = [1, 3].reduce(
      (next, first) => accept(next, [first, first + 1]),
      accept(empty, [7, 8], { connection: 2 }),
    );
    expect(hasChanges(window)).toBe(true);
    expect(planCommit(window)).toMatchObject({
      save: [
        { isReplay: false, ranges: [[7, 8]], verdict: { kind: 'watched', connection: 2 } },
        { isReplay: false, ranges: [[1, 4]], verdict: { kind: 'watched', connection: 1 } },
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
    const window = commit(accept(accept(empty, [1, 4]), [5, 6], { connection: 2 }), 1_000);
    const respond = (nowMs: number) => applyResponse(window, { connection: 1, isClosing: false }, nowMs);
    expect(respond(1_000 + LENGTH_MS - 1).confirmed).toEqual([]);
    expect(planCommit(respond(1_000 + LENGTH_MS))).toEqual({ save: [], drop: [1], requeue: [] });
    expect(commit(respond(1_000 + LENGTH_MS)).provisional).toMatchObject([{ ranges: [[5, 6]] }]);
  });

  test('a response over an unknown connection confirms nothing', () => {
    const window = commit(accept(empty, [1, 4]));
    expect(applyResponse(window, { connection: undefined, isClosing: false }, 2 * LENGTH_MS)).toEqual(window);
  });

  test('after an announced close the connection of the next good response takes over, or confirms', () => {
    const closed = commit(accept(commit(accept(empty, [1, 4])), [5, 6], { isClosing: true }));
    const ended = applySign(closed, idleEnd(1, 0, { isAnnounced: true }), 0);
    expect([verdicts(ended), planCommit(ended).requeue]).toEqual([['watched', 'watched'], []]);
    const next = applyResponse(ended, { connection: 2, isClosing: false }, 0);
    expect(next.provisional.map(({ verdict }) => verdict)).toEqual([
      { kind: 'watched', connection: 2 },
      { kind: 'watched', connection: 2 },
    ]);
    expect(applyResponse(ended, { connection: 2, isClosing: true }, LENGTH_MS).confirmed).toHaveLength(2);
  });

  test('the end of a connection counts as well if its response is recorded after it', () => {
    const ended = applySign(empty, idleEnd(1, 0), 0);
    expect(planCommit(accept(ended, [1, 4])).requeue).toEqual([[1, 4]]);
    expect(planCommit(accept(ended, [1, 4], { isClosing: true })).requeue).toEqual([]);
  });

  test('of the ends that come before their responses the last 16 count', () => {
    let window = empty;
    for (let connection = 1; connection <= 17; connection++) window = applySign(window, idleEnd(connection, 0), 0);
    expect(planCommit(accept(window, [1, 4], { connection: 1 })).requeue).toEqual([]);
    expect(planCommit(accept(window, [1, 4], { connection: 2 })).requeue).toEqual([[1, 4]]);
  });

  test('a window of length 0 makes every commit final', () => {
    const window = accept(createReplayWindow({ lengthMs: 0, questionIntervalMs: 5_000 }), [1, 4]);
    const signed = applySign(window, { kind: 'proxy error' }, 0);
    expect([planCommit(signed), findNextQuestion(signed)]).toEqual([{ save: [], drop: [], requeue: [] }, undefined]);
    expect(commit(signed).accepted).toEqual([]);
  });

  test('no function changes the window that it is given', () => {
    const window = commit(accept(accept(asking, [1, 2]), [3, 4], { connection: 2 }));
    const before = structuredClone(window);
    accept(window, [5, 6], { isClosing: true });
    commit(startedAt(applySign(window, idleEnd(1, 5_000), 100), 50, 200));
    expect(window).toEqual(before);
  });
});

describe('replay window of a receiver that cannot be asked', () => {
  test('requeues what an ended connection carried for the first time, committed or not', () => {
    const window = accept(commit(accept(accept(empty, [1, 2]), [3, 4], { connection: 2 })), [5, 6]);
    const lost = applySign(window, idleEnd(1, 0), 0);
    expect(planCommit(lost)).toMatchObject({
      save: [],
      drop: [1],
      requeue: [
        [1, 2],
        [5, 6],
      ],
    });
    expect(commit(lost).provisional.map(({ ranges }) => ranges)).toEqual([[[3, 4]]]);
    expect(hasChanges(commit(lost))).toBe(false);
  });

  test('requeues everything after a proxy’s error', () => {
    const window = commit(accept(accept(empty, [1, 2]), [3, 4], { isClosing: true }));
    expect(planCommit(applySign(window, { kind: 'proxy error' }, 0)).requeue).toEqual([[1, 4]]);
  });

  test('requeues each sample once, however often a proxy gives signs', () => {
    const window = commit(accept(createReplayWindow({ lengthMs: LENGTH_MS }, [[1, 4]]), [3, 6]));
    const signed = applySign(window, { kind: 'proxy error' }, 0);
    expect(planCommit(signed).requeue).toEqual([[5, 6]]);
    expect(commit(signed).provisional).toMatchObject([{ ranges: [[3, 4]], verdict: { kind: 'watched' } }]);
  });

  test('requeues of a chunk that is not committed only what was sent for the first time', () => {
    const window = accept(createReplayWindow({ lengthMs: LENGTH_MS }, [[1, 4]]), [3, 6]);
    const plan = planCommit(applySign(window, idleEnd(1, 0), 0));
    expect(plan).toMatchObject({ save: [{ ranges: [[3, 4]], verdict: { kind: 'watched' } }], requeue: [[5, 6]] });
  });

  test('requeues all of it when nobody listens any more', () => {
    const window = commit(accept(createReplayWindow({ lengthMs: LENGTH_MS }, [[1, 4]]), [1, 4]));
    expect(planCommit(applySign(window, { kind: 'connection refused' }, 0)).requeue).toEqual([[1, 4]]);
  });

  test('learns from three ends at one age that the path ends idle connections', () => {
    let window = empty;
    const requeued = [1, 2, 3, 4].map((id) => {
      window = applySign(commit(accept(window, [id, id], { connection: id })), idleEnd(id, 10_000 + 100 * id), id);
      const { requeue } = planCommit(window);
      window = commit(window);
      return requeue.length;
    });
    expect(requeued).toEqual([1, 1, 0, 0]);
  });

  test('takes a broken request for a sign that concerns also what no connection watches', () => {
    const window = commit(accept(empty, [1, 4], { isClosing: true }));
    expect(planCommit(applySign(window, idleEnd(2, 0), 0)).requeue).toEqual([]);
    const broken = idleEnd(2, 0, { idleMs: undefined });
    expect(planCommit(applySign(window, broken, 0)).requeue).toEqual([[1, 4]]);
  });
});

describe('replay window of a receiver that can be asked', () => {
  const inDoubt = applySign(commit(accept(asking, [1, 4], { nowMs: 1_000 }), 1_000), idleEnd(1, 10_000), 11_000);

  test('doubts what an ended connection carried, and requeues nothing yet', () => {
    expect([verdicts(inDoubt), hasChanges(inDoubt), findNextQuestion(inDoubt)]).toEqual([
      ['in doubt'],
      false,
      -Infinity,
    ]);
  });

  test('keeps or confirms it if the receiver ran before it was sent', () => {
    const same = startedAt(inDoubt, 900, 12_000);
    expect(same.provisional).toMatchObject([{ verdict: { kind: 'watched', connection: 9 } }]);
    expect(startedAt(inDoubt, 900, 1_000 + LENGTH_MS).confirmed).toEqual([1]);
    expect(findNextQuestion(same)).toBeUndefined();
  });

  test('requeues it, and all that was accepted before, if the receiver was started since', () => {
    const window = commit(accept(inDoubt, [5, 6], { connection: 2, nowMs: 12_000 }), 12_000);
    expect(planCommit(startedAt(window, 1_001, 13_000)).requeue).toEqual([[1, 4]]);
    expect(planCommit(startedAt(window, 20_000, 21_000)).requeue).toEqual([
      [1, 4],
      [5, 6],
    ]);
  });

  test.each([
    ['a proxy’s error', { kind: 'proxy error' }],
    ['the end of another connection', idleEnd(2, 5_000)],
  ] as const)('lets an answer say nothing of %s after its question', (_, sign) => {
    const window = applySign(inDoubt, sign, 13_000);
    const answer = { kind: 'started', earliestMs: 0, latestMs: 0, connection: undefined } as const;
    const answered = applyAnswer(window, answer, { askedAtMs: 12_000, nowMs: 14_000 });
    expect(verdicts(answered)).toEqual(['in doubt']);
  });

  test('requeues all of one commit if the receiver was started after the first of it was sent', () => {
    const first = accept(asking, [1, 2], { nowMs: 1_000 });
    const window = commit(accept(first, [3, 4], { nowMs: 2_000 }), 2_000);
    const doubted = applySign(window, idleEnd(1, 10_000), 12_000);
    expect(planCommit(startedAt(doubted, 1_001, 13_000)).requeue).toEqual([[1, 4]]);
  });

  test('asks once an interval, and half as often after each answer of the same process', () => {
    const next = (window: ReplayWindow, nowMs: number) =>
      findNextQuestion(applySign(window, { kind: 'proxy error' }, nowMs));
    const watched = commit(accept(asking, [1, 4], { nowMs: 1_000 }), 1_000);
    const first = startedAt(applySign(watched, { kind: 'proxy error' }, 2_000), 0, 2_000);
    expect(next(first, 3_000)).toBe(2_000 + 10_000);
    const second = startedAt(applySign(first, { kind: 'proxy error' }, 12_000), 0, 12_000);
    const kept = commit(accept(second, [5, 6], { connection: 9, nowMs: 12_500 }), 12_500);
    expect(next(kept, 13_000)).toBe(12_000 + 20_000);
    const restarted = startedAt(applySign(kept, { kind: 'proxy error' }, 32_000), 31_000, 32_000);
    const later = commit(accept(restarted, [7, 8], { connection: 9, nowMs: 33_000 }), 33_000);
    expect(next(later, 34_000)).toBe(32_000 + 5_000);
  });

  test('decides as if it could not be asked when an answer does not say it, and asks no more for an hour', () => {
    const decided = applyAnswer(inDoubt, { kind: 'unreadable' }, { askedAtMs: 12_000, nowMs: 12_000 });
    expect(planCommit(decided).requeue).toEqual([[1, 4]]);
    const again = accept(commit(decided), [5, 6], { connection: 2, nowMs: 13_000 });
    expect(planCommit(applySign(again, { kind: 'proxy error' }, 14_000)).requeue).toEqual([[5, 6]]);
    expect(verdicts(applySign(again, { kind: 'proxy error' }, 12_000 + HOUR_MS))).toEqual(['in doubt']);
  });

  test('gives up asking after ten questions without an answer between which it accepted samples', () => {
    let window = inDoubt;
    for (let question = 0; question < 10; question++) {
      expect(findNextQuestion(window)).toBeDefined();
      window = accept(window, [10 + question, 10 + question], { connection: 2, nowMs: 12_000 });
      window = applyAnswer(window, { kind: 'unanswered' }, { askedAtMs: 12_000, nowMs: 12_000 });
    }
    expect([findNextQuestion(window), planCommit(window).requeue]).toEqual([undefined, [[1, 4]]]);
  });

  test('waits for an answer as long as it accepts nothing either', () => {
    let window = inDoubt;
    for (let question = 0; question < 100; question++)
      window = applyAnswer(window, { kind: 'unanswered' }, { askedAtMs: 12_000, nowMs: 12_000 });
    expect(verdicts(window)).toEqual(['in doubt']);
  });
});

describe('replay window on a path that ends idle connections', () => {
  // The answer taught it: ends at 10 s are no restart.
  const learned = startedAt(
    applySign(commit(accept(asking, [1, 4], { nowMs: 1_000 }), 1_000), idleEnd(1, 10_000), 17_000),
    0,
    17_000,
    undefined,
  );
  const presumed = applySign(
    commit(accept(commit(learned), [5, 6], { connection: 2, nowMs: 20_000 }), 20_000),
    idleEnd(2, 10_050),
    30_050,
  );
  const later = commit(accept(presumed, [7, 8], { connection: 3, nowMs: 40_000 }), 40_000);

  test('asks no more, and confirms what was sent once another end at that age has proved the habit', () => {
    expect([verdicts(presumed).at(-1), findNextQuestion(presumed)]).toEqual(['presumed', undefined]);
    expect(later.provisional.map(({ ranges }) => ranges)).toEqual([[[5, 6]], [[7, 8]]]);
    const proved = applySign(later, idleEnd(3, 9_990), 50_000);
    const next = accept(proved, [9, 9], { connection: 4, nowMs: 60_000 });
    expect([findNextQuestion(proved), next.provisional.map(({ ranges }) => ranges)]).toEqual([undefined, [[[7, 8]]]]);
  });

  test('asks about an end at another age, also for what was only presumed', () => {
    const ended = applySign(later, idleEnd(3, 4_000), 44_000);
    expect(verdicts(ended)).toEqual(['in doubt', 'in doubt']);
  });

  test('asks about what was presumed once a connection outlives that age', () => {
    const outlived = applyResponse(later, { connection: 3, isClosing: false, idleBeforeMs: 12_000 }, 52_000);
    expect([verdicts(outlived), outlived.habit.idleMs]).toEqual([['in doubt', 'watched'], undefined]);
  });

  test('asks about what has been presumed for five minutes', () => {
    const old = applyResponse(presumed, { connection: 3, isClosing: false }, 30_050 + 300_001);
    expect(verdicts(old)).toEqual(['in doubt']);
  });

  test('learns nothing from connections that end within a second of their last response', () => {
    const young = applySign(commit(accept(asking, [1, 4], { nowMs: 1_000 }), 1_000), idleEnd(1, 900), 2_000);
    expect(startedAt(young, 0, 2_000).habit.idleMs).toBeUndefined();
  });
});
