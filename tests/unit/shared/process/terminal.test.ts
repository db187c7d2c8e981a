import { expect, test } from '@jest/globals';

import { mayHaveColors } from '../../../../shared/src/process/terminal.ts';

test.each([
  [true, {}, true],
  [true, { TERM: 'xterm-256color', NO_COLOR: '' }, true],
  [true, { NO_COLOR: '1' }, false],
  [true, { NO_COLOR: '0' }, false],
  [true, { TERM: 'dumb' }, false],
  [false, { TERM: 'xterm' }, false],
])('colors: terminal %p with %p: %p', (isTerminal, environment, expected) => {
  expect(mayHaveColors(isTerminal, environment)).toBe(expected);
});
