/** Mutations of what commands and variables answer to whoever mistyped them. */

/** @type {import('../mutation.mjs').Mutation[]} */
export const commandLine = [
  {
    why: 'answers BLUETOOTH_INTERVAL with a variable that has only _INTERVAL in common',
    file: 'shared/src/config/nearest.ts',
    find: 'const isNear = edits === 0 || isAbbreviated || (edits <= maxEdits && edits < wanted.length);',
    replace: 'const isNear = edits + maxEdits + Number(isAbbreviated) >= 0;',
    tests: ['shared/config/nearest'],
  },
  {
    why: 'answers NETWORK with one of many variables that begin so',
    file: 'shared/src/config/nearest.ts',
    find: '(lowest >= WORD_COST && second !== undefined)',
    replace: '(lowest < 0 && second !== undefined)',
    tests: ['shared/config/nearest'],
  },
  {
    why: 'does not know that REMOTE_ULR is one slip of a finger',
    file: 'shared/src/config/nearest.ts',
    find: 'rows[row - 2]![column - 2]! + 1 : Infinity',
    replace: 'rows[row - 2]![column - 2]! + 9 : Infinity',
    tests: ['shared/config/nearest'],
  },
  {
    why: 'answers BLUETOOTH_INTERVAL with INTERVAL',
    file: 'shared/src/config/nearest.ts',
    find: 'wanted.every((word, at) => given[at] === word)',
    replace: 'isSubsequence(wanted, given)',
    tests: ['shared/config/nearest'],
  },
  {
    why: 'prints the help of the program for a mistyped command, with exit code 0',
    file: 'shared/src/process/command-line.ts',
    find: 'return formatCommandHelp(table, findCommand(table, name));',
    replace: 'return name in table.commands ? formatCommandHelp(table, name) : formatProgramHelp(table);',
    tests: ['shared/process/command-line'],
  },
  {
    why: 'scripts cannot tell bad usage from a failure by the exit code',
    file: 'shared/src/errors.ts',
    find: 'BAD_USAGE: ExitCode.usage',
    replace: 'BAD_USAGE: ExitCode.fault',
    tests: ['shared/process/command-line'],
  },
  {
    why: 'leaves a shell without a cursor when status --watch ends by an error',
    file: 'uploader/src/commands/watch-status.ts',
    find: '  } finally {\n    screen.write(END);\n  }',
    replace: '    screen.write(END);\n  } finally {\n    void screen;\n  }',
    tests: ['uploader/commands/watch-status'],
  },
  {
    why: 'status --watch scrolls on a terminal with fewer rows than the status has lines',
    file: 'uploader/src/commands/watch-status.ts',
    find: 'return free >= 0;',
    replace: 'return free >= -99;',
    tests: ['uploader/commands/watch-status'],
  },
  {
    why: 'status --watch ends when the collector has not created the database yet',
    file: 'uploader/src/commands/watch-status.ts',
    find: 'if (!isEnvironmentError(error)) throw error;',
    replace: 'if (toErrorMessage(error) !== "") throw error;',
    tests: ['uploader/commands/watch-status'],
  },
  {
    why: 'colors where NO_COLOR forbids them',
    file: 'shared/src/process/terminal.ts',
    find: "(environment['NO_COLOR'] ?? '') === ''",
    replace: "environment['NO_COLOR'] !== 'x'",
    tests: ['shared/process/terminal'],
  },
  {
    why: 'a color goes on behind a line of the log that was cut',
    file: 'shared/src/logging/logger.ts',
    find: 'isColored && Buffer.byteLength(plain) < MAX_LINE_BYTES / 2',
    replace: 'isColored',
    tests: ['shared/logging/logger'],
  },
];
