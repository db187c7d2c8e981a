import { expect, test } from '@jest/globals';

import { isHabitual, learnUnexplainedEnd, NO_HABIT } from '../../../../uploader/src/queue/idle-habit.ts';

test('idle habit: is learned from the last three ends, whatever the ones before them were', () => {
  const learn = (ends: readonly number[]): boolean => isHabitual(ends.reduce(learnUnexplainedEnd, NO_HABIT), 60_000);
  expect(learn([10_000, 60_000, 30_000, 60_000, 60_000])).toBe(false);
  expect(learn([10_000, 60_000, 30_000, 60_000, 60_000, 61_000])).toBe(true);
});
