import { describe, expect, test } from '@jest/globals';

import { toExitCode } from '../../../../shared/src/errors.ts';
import { dispatch } from '../../../../shared/src/process/command-line.ts';
import type { OptionValue } from '../../../../shared/src/process/command-table.ts';
import { readVersion } from '../../../../shared/src/process/version.ts';
import { thrownBy } from '../../../support/thrown.ts';

const TIME: OptionValue = {
  name: 'TIME',
  forms: [
    ['2h', 'two hours ago'],
    ['now', 'the current time'],
  ],
};
const table = {
  program: 'thugshells-collector',
  summary: 'collects',
  commands: {
    run: { doc: 'collect until stopped', examples: { run: 'for ever' } },
    status: {
      doc: 'print the state',
      options: { '--json': { doc: 'print JSON' } },
      exitCodes: { 1: 'degraded' },
      examples: { 'status --json': 'for a script' },
    },
    requeue: {
      doc: 'send samples of a time range again',
      details: 'They have been delivered.',
      options: {
        '--from': { doc: 'begin of the range', value: TIME, isRequired: true },
        '--to': { doc: 'end of the range', value: TIME },
        '--all': { doc: 'take all' },
      },
      examples: { 'requeue --from 2h': 'the last two hours' },
    },
  },
};

function call(...args: string[]): unknown {
  return dispatch(
    table,
    {
      run: () => 'ran',
      status: (given) => `status ${[...given].join()}`,
      requeue: (given) => `from ${given.value('--from')} ${given.has('--all')}`,
    },
    args,
  );
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
  test.each([['--help'], ['-h'], ['help'], ['help', 'help'], ['help', '--help']])(
    'of the program is printed for %p',
    (...args) => {
      const text = readText(...args);
      expect(text).toContain('usage: thugshells-collector [command] [options]\n');
      expect(text).toMatch(/^ {2}run +collect until stopped \(default\)$/m);
      expect(text).toMatch(/^ {2}status +print the state$/m);
      expect(text).toMatch(/^ {2}--version +print the version and exit$/m);
      expect(text).toMatch(/^ {2}78 +bad configuration$/m);
      expect(text.endsWith('\n')).toBe(true);
    },
  );

  test.each([
    ['requeue', '--help'],
    ['requeue', '--all', '-h'],
    ['help', 'requeue'],
  ])('of a command explains what it does, its options and their values, with an example, for %p %p', (...args) => {
    expect(readText(...args)).toBe(`usage: thugshells-collector requeue --from TIME [--to TIME] [--all]

Send samples of a time range again.

They have been delivered.

Options:
  --from TIME  begin of the range
  --to TIME    end of the range
  --all        take all
  --help       print this help and exit; also -h

TIME is one of these:
  2h   two hours ago
  now  the current time

Examples:
  thugshells-collector requeue --from 2h
      the last two hours
`);
  });

  test('of a command lists the exit codes that mean something of its own', () => {
    expect(readText('help', 'status')).toMatch(/^Exit codes:\n {2}1 {2}degraded$/m);
  });

  test('breaks long lines between words, beside their option, and keeps an option with its value', () => {
    const doc = 'word '.repeat(30).trim();
    const options = Object.fromEntries([...'abcdefgh'].map((name) => [`--${name.repeat(9)}`, { doc, value: TIME }]));
    const long = { ...table, commands: { run: { doc, options, examples: { run: doc } } } };
    const { text } = dispatch(long, { run: () => ({ text: '' }) }, ['help', 'run']);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    expect(text).toMatch(/^ {2}--aaaaaaaaa TIME {2}word/m);
    expect(text).not.toMatch(/\[--\w+$|^ +TIME\]/m);
    expect(text).toMatch(/\n {20}word/);
  });
});

test('command line: --version prints the program and the version of package.json', () => {
  expect(readText('--version')).toBe(`thugshells-collector ${readVersion()}\n`);
});

describe('command line: bad usage', () => {
  test.each([
    [['nonsense'], 'unknown command "nonsense"', '--help'],
    [['xyz'], 'unknown command "xyz"', '--help'],
    [['constructor'], 'unknown command "constructor"', '--help'],
    [['staus'], 'unknown command "staus"; did you mean status?', '--help'],
    [['Status'], 'unknown command "Status"; did you mean status?', '--help'],
    [['hepl'], 'unknown command "hepl"; did you mean help?', '--help'],
    [['help', 'staus'], 'unknown command "staus"; did you mean status?', '--help'],
    [['staus', '--help'], 'unknown command "staus"; did you mean status?', '--help'],
    [['run', '--loud'], 'unknown option --loud', 'run --help'],
    [['--loud'], 'unknown option --loud', 'run --help'],
    [['--verison'], 'unknown option --verison; did you mean --version?', 'run --help'],
    [['status', '--hlep'], 'unknown option --hlep; did you mean --help?', 'status --help'],
    [['status', '--jsn'], 'unknown option --jsn; did you mean --json?', 'status --help'],
    [['status', '-json'], 'unknown option -json; did you mean --json?', 'status --help'],
    [['status', '--version'], 'unknown option --version', 'status --help'],
    [['status', '--toString'], 'unknown option --toString', 'status --help'],
    [['status', '--json', 'extra'], 'unexpected argument "extra"', 'status --help'],
    [['status', 'json'], 'unexpected argument "json"; did you mean --json?', 'status --help'],
    [['status', '--json=yes'], 'option --json takes no value', 'status --help'],
    [['requeue', '--form', '2h'], 'unknown option --form; did you mean --from?', 'requeue --help'],
    [['requeue', '--from'], 'option --from needs a value: --from TIME', 'requeue --help'],
    [['requeue', '--from='], 'option --from needs a value: --from TIME', 'requeue --help'],
  ])('%p ends with exit code 2 and the command that prints the help', (args, message, help) => {
    const error = thrownBy(() => call(...args));
    expect(error).toMatchObject({ code: 'BAD_USAGE', message, hint: `run: thugshells-collector ${help}` });
    expect(toExitCode(error)).toBe(2);
  });
});
