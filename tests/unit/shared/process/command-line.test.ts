import { describe, expect, test } from '@jest/globals';

import { dispatch, type Commands } from '../../../../shared/src/process/command-line.ts';
import { toExitCode } from '../../../../shared/src/errors.ts';
import { thrownBy } from '../../../support/thrown.ts';

const commands: Commands<string> = {
  run: { doc: 'collect until stopped', run: () => 'ran' },
  status: { doc: 'how it fares', options: ['--json'], run: (options) => `status ${[...options].join()}` },
  requeue: {
    doc: 'send again',
    options: ['--from T', '--all'],
    run: (options) => `from ${options.value('--from')} ${options.has('--all')}`,
  },
};

function call(...args: string[]): unknown {
  return dispatch('thugshells-collector', commands, args);
}

test('the first command is the one that runs where none is named', () => {
  expect(call()).toBe('ran');
});

test('a command that is named runs, with its options', () => {
  expect(call('run')).toBe('ran');
  expect(call('status')).toBe('status ');
  expect(call('status', '--json')).toBe('status --json');
});

test.each([
  [['--from', '2026-01-01', '--all'], 'from 2026-01-01 true'],
  [['--from=2026-01-01=x'], 'from 2026-01-01=x false'],
  [['--all'], 'from undefined true'],
])('an option may take a value: %p', (args, seen) => {
  expect(call('requeue', ...args)).toBe(seen);
});

describe('help', () => {
  test.each([['--help'], ['-h'], ['status', '--help'], ['nonsense', '-h']])('is printed for %p', (...args) => {
    const { text } = call(...args) as { text: string };
    expect(text).toContain('usage: thugshells-collector [command]');
    expect(text).toMatch(/run +collect until stopped \(what runs where no command is named\)\n/);
    expect(text).toMatch(/status \[--json\] +how it fares\n/);
    expect(text).toMatch(/requeue \[--from T\] \[--all\]\n +send again\n/);
    expect(text).toContain('78 bad configuration');
    expect(text.endsWith('\n')).toBe(true);
  });
});

describe('bad usage', () => {
  test.each([
    [['nonsense'], 'unknown command "nonsense"'],
    [['constructor'], 'unknown command "constructor"'],
    [['run', '--json'], 'run does not take "--json"'],
    [['--json'], 'run does not take "--json"'],
    [['status', '--json', 'extra'], 'status does not take "extra"'],
    [['status', '--json=yes'], 'status does not take "--json=yes"'],
    [['requeue', '--from'], 'requeue needs a value for --from T'],
    [['requeue', '--from='], 'requeue needs a value for --from T'],
  ])('%p is told, with what there is, and ends with 2', (args, message) => {
    const error = thrownBy(() => call(...args));
    expect(error).toMatchObject({ code: 'BAD_USAGE', message: expect.stringContaining(message) });
    expect((error as Error).message).toContain('usage: ');
    expect(toExitCode(error)).toBe(2);
  });
});
