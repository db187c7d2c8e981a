import { describe, expect, test } from '@jest/globals';

import { AgentError, toErrorCode, ExitCode, toExitCode, toErrorMessage } from '../../../shared/src/errors.ts';

describe('the exit code', () => {
  test.each([
    ['BAD_USAGE', 2],
    ['BAD_CONFIGURATION', 78],
    ['DATABASE_TOO_NEW', 78],
    ['ANOTHER_INSTANCE', 75],
    ['FILE_SYSTEM_UNSUPPORTED', 78],
    ['MIGRATION_FAILED', 1],
    ['DATABASE_UNUSABLE', 1],
  ])('of %s is %p', (code, exitCode) => expect(toExitCode(new AgentError('x', { code }))).toBe(exitCode));

  test.each([new Error('x'), Object.assign(new Error('x'), { code: 'BAD_USAGE' }), 'BAD_USAGE', undefined])(
    'of what nobody foresaw, %p, is 1',
    (error) => expect(toExitCode(error)).toBe(1),
  );

  test('values are those that the units and scripts rely on', () => {
    expect(ExitCode).toEqual({ clean: 0, fault: 1, usage: 2, unreadable: 3, anotherInstance: 75, configuration: 78 });
  });
});

test('an error of ours has a code, a hint and its cause', () => {
  const cause = new Error('why');
  expect(new AgentError('what', { code: 'X', hint: 'do this', cause })).toMatchObject({
    name: 'AgentError',
    message: 'what',
    code: 'X',
    hint: 'do this',
    cause,
  });
  expect(new AgentError('what', { code: 'X' })).not.toHaveProperty('cause');
});

test.each([
  ['an object with a message', { message: 'a' }, 'a'],
  ['an error that has lost its message', { code: 'SQLITE_CORRUPT' }, 'SQLITE_CORRUPT'],
  ['an object', { status: 7 }, '{ status: 7 }'],
  ['an empty error', new RangeError(), 'RangeError'],
  ['an object without a prototype', Object.create(null), '[Object: null prototype] {}'],
])('the text of %s says what there is', (_, error, text) => expect(toErrorMessage(error)).toBe(text));

test('anything that was thrown has a text', () => {
  expect([new Error('a'), 'b', 7, undefined, null].map(toErrorMessage)).toEqual(['a', 'b', '7', 'undefined', 'null']);
});

test('a code is what the system or a library gave, where it is a text', () => {
  expect(
    [Object.assign(new Error('x'), { code: 'ENOENT' }), { code: 7 }, 'x', null, undefined, new Error('x')].map(
      toErrorCode,
    ),
  ).toEqual(['ENOENT', undefined, undefined, undefined, undefined, undefined]);
});
