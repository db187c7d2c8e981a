import { describe, expect, test } from '@jest/globals';

import { COLLECTOR_TABLE } from '../../../collector/src/commands/command-table.ts';
import { dispatch } from '../../../shared/src/process/command-line.ts';
import { listValues, type ProgramTable } from '../../../shared/src/process/command-table.ts';
import { UPLOADER_TABLE } from '../../../uploader/src/commands/command-table.ts';
import { parseTime, TIME } from '../../../uploader/src/commands/time-argument.ts';

const tables: readonly ProgramTable[] = [COLLECTOR_TABLE, UPLOADER_TABLE];
const commands = tables.flatMap((table) => Object.entries(table.commands).map((entry) => ({ table, entry })));

/** Returns the command that the arguments run, with the options that they give, or the help that they print. */
function call(table: ProgramTable, args: readonly string[]): string {
  const handlers = Object.fromEntries(
    Object.keys(table.commands).map((name) => [name, () => ({ text: `ran ${name}` })]),
  );
  return dispatch(table, handlers, args).text;
}

describe.each(commands.map(({ table, entry: [name, command] }) => ({ program: table.program, name, table, command })))(
  'command table: $program $name',
  ({ table, name, command }) => {
    test('has an example, and each runs it with its options', () => {
      const examples = Object.keys(command.examples);
      expect(examples.length).toBeGreaterThan(0);
      for (const example of examples) expect(call(table, example.split(' '))).toBe(`ran ${name}`);
    });

    test('has a help of lines that a terminal shows whole, with each option and each form of a value', () => {
      const text = call(table, ['help', name]);
      expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
      for (const option of Object.keys(command.options ?? {}))
        expect(text).toMatch(new RegExp(`^ {2}${option}\\b`, 'm'));
      for (const { forms } of listValues(command)) {
        for (const [example, meaning] of forms) expect(text).toMatch(new RegExp(`^ {2}${example} +${meaning[0]}`, 'm'));
      }
      expect(`${command.doc}${command.details ?? '.'}`).toMatch(/^[a-z][^]*\.$/);
    });
  },
);

test.each(TIME.forms)('command table: %s is a time, as the help says', (example) => {
  expect(parseTime('--from', example, Date.now())).toBeGreaterThan(Date.UTC(2026, 0));
});
