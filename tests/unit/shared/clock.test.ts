import { expect, test } from '@jest/globals';

import { hiddenUptimeMs } from '@thugshells/shared/clock.ts';

/** /proc/self/stat of a process that started so many ticks after the boot. */
function stat(ticks: number | string, name = 'node'): string {
  return `42 (${name}) S ${'1 '.repeat(18)}${ticks} 8 9`;
}

test.each([
  ['a machine of its own', stat(360_000), 0],
  ['a process that started some milliseconds before Node.js', stat(359_950), 0],
  ['a container that shows its own time', stat(1_360_000), 10_000_000],
  ['a program with a parenthesis in its name', stat(1_360_000, 'a) b (c'), 10_000_000],
  ['a text without a start', '42 (node) S', 0],
  ['a start that is no number', stat('x'), 0],
])('hidden uptime of %s', (_, text, expected) => {
  expect(hiddenUptimeMs(text, 5_000, 3_605_000)).toBe(expected);
});
