import { describe, expect, test } from '@jest/globals';

import { toExitCode } from '../../../../shared/src/errors.ts';
import { dispatch, type Commands } from '../../../../shared/src/process/command-line.ts';
import { readVersion } from '../../../../shared/src/process/version.ts';
import { thrownBy } from '../../../support/thrown.ts';

const commands: Commands<string> = {
  run: { doc: 'collect until stopped', run: () => 'ran' },
  status: {
    doc: 'print the state',
    options: { '--json': 'print JSON' },
    run: (options) => `status ${[...options].join()}`,
  },
  requeue: {
    doc: 'send samples of a time range again',
    options: { '--from T': 'begin of the range', '--all': 'take all' },
    run: (options) => `from ${options.value('--from')} ${options.has('--all')}`,
  },
};

function call(...args: string[]): unknown {
  return dispatch('thugshells-collector', commands, args);
}

function readText(...args: string[]): string {
  return (call(...args) as { text: string }).text;
}

test('command line: runs the first command if none is named', () => {
  expect(call()).toBe('ran');
});

test('command line: runs the command that is named, with its options', () => {
  expect(call('run')).toBe('ran');
  expect(call('status')).toBe('status ');
  expect(call('status', '--json')).toBe('status --json');
});

test.each([
  [['--from', '2026-01-01', '--all'], 'from 2026-01-01 true'],
  [['--from=2026-01-01=x'], 'from 2026-01-01=x false'],
  [['--all'], 'from undefined true'],
])('command line: parses the value of an option in %p', (args, seen) => {
  expect(call('requeue', ...args)).toBe(seen);
});

describe('command line: help', () => {
  test.each([['--help'], ['-h'], ['help'], ['nonsense', '-h'], ['help', 'nonsense']])(
    'of the program is printed for %p',
    (...args) => {
      const text = readText(...args);
      expect(text).toContain('usage: thugshells-collector [command] [options]\n');
      expect(text).toMatch(/^ {2}run +collect until stopped \(default\)$/m);
      expect(text).toMatch(/^ {2}status +print the state$/m);
      expect(text).toMatch(/^ {2}--version +print the version and exit$/m);
      expect(text).toContain('78 bad configuration');
      expect(text.endsWith('\n')).toBe(true);
    },
  );

  test.each([
    ['requeue', '--help'],
    ['requeue', '--all', '-h'],
    ['help', 'requeue'],
  ])('of a command explains each option for %p %p', (...args) => {
    const text = readText(...args);
    expect(text).toContain('usage: thugshells-collector requeue [--from T] [--all]\n');
    expect(text).toContain('\nSend samples of a time range again.\n');
    expect(text).toMatch(/^ {2}--from T +begin of the range$/m);
    expect(text).toMatch(/^ {2}--all +take all$/m);
    expect(text).not.toContain('collect until stopped');
  });
});

test('command line: --version prints the program and the version of package.json', () => {
  expect(readText('--version')).toBe(`thugshells-collector ${readVersion()}\n`);
});

describe('command line: bad usage', () => {
  test.each([
    [['nonsense'], 'unknown command "nonsense"', 'thugshells-collector --help'],
    [['xyz'], 'unknown command "xyz"', 'thugshells-collector --help'],
    [['constructor'], 'unknown command "constructor"', 'thugshells-collector --help'],
    [['staus'], 'unknown command "staus"; did you mean status?', 'thugshells-collector --help'],
    [['run', '--loud'], 'unknown option --loud', 'thugshells-collector run --help'],
    [['--loud'], 'unknown option --loud', 'thugshells-collector run --help'],
    [['status', '--jsn'], 'unknown option --jsn; did you mean --json?', 'thugshells-collector status --help'],
    [['status', '--version'], 'unknown option --version', 'thugshells-collector status --help'],
    [['status', '--json', 'extra'], 'unexpected argument "extra"', 'thugshells-collector status --help'],
    [['status', '--json=yes'], 'option --json takes no value', 'thugshells-collector status --help'],
    [['requeue', '--from'], 'option --from needs a value: --from T', 'thugshells-collector requeue --help'],
    [['requeue', '--from='], 'option --from needs a value: --from T', 'thugshells-collector requeue --help'],
  ])('%p ends with exit code 2 and the command that prints the help', (args, message, help) => {
    const error = thrownBy(() => call(...args));
    expect(error).toMatchObject({ code: 'BAD_USAGE', message, hint: `run: ${help}` });
    expect(toExitCode(error)).toBe(2);
  });
});
