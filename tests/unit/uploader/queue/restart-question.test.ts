import { describe, expect, test } from '@jest/globals';

import {
  canAsk,
  createRestartQuestion,
  nextQuestionMs,
  recordAnswer,
  recordQuestion,
  recordSilence,
  type RestartQuestion,
} from '../../../../uploader/src/queue/restart-question.ts';

const INTERVAL_MS = 5_000;
const HOUR_MS = 3_600_000;

/** Asks at a time, and hears that the receiver is the same process. */
function findSame(question: RestartQuestion, atMs: number): RestartQuestion {
  return recordAnswer(recordQuestion(question, atMs), true);
}

describe('question since when the receiver runs:', () => {
  test('comes after the configured interval again when an hour has passed without a doubt', () => {
    const asked = findSame(findSame(createRestartQuestion(INTERVAL_MS), 0), 10_000);
    expect(nextQuestionMs(asked) - 10_000).toBe(4 * INTERVAL_MS);
    const hourLater = 10_000 + HOUR_MS;
    expect(nextQuestionMs(recordQuestion(asked, hourLater)) - hourLater).toBe(4 * INTERVAL_MS);
    expect(nextQuestionMs(recordQuestion(asked, hourLater + 1)) - hourLater - 1).toBe(INTERVAL_MS);
  });

  test('may be without an answer ten times again an hour after the last ten', () => {
    let question = createRestartQuestion(INTERVAL_MS);
    const isAskedAfter = (count: number, nowMs: number): boolean => {
      for (let time = 0; time < count; time++)
        question = recordSilence({ ...question, isResponding: true }, false, nowMs);
      return canAsk(question, nowMs);
    };
    expect([isAskedAfter(9, 0), isAskedAfter(1, 0), isAskedAfter(0, HOUR_MS)]).toEqual([true, false, true]);
    expect([isAskedAfter(9, HOUR_MS), isAskedAfter(1, HOUR_MS)]).toEqual([true, false]);
  });
});
