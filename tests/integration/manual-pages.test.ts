import { spawnSync } from 'node:child_process';

import { describe, expect, test } from '@jest/globals';

import { COLLECTOR_TABLE } from '../../collector/src/commands/command-table.ts';
import { createManualPage } from '../../deploy/scripts/manual-page.ts';
import { collectorVariables } from '../../shared/src/config/collector-config.ts';
import { uploaderVariables } from '../../shared/src/config/uploader-config.ts';
import type { ProgramTable } from '../../shared/src/process/command-table.ts';
import { UPLOADER_TABLE } from '../../uploader/src/commands/command-table.ts';

const RELEASE = { version: '1.2.3', date: '2026-01-31' };
const programs = [
  { table: COLLECTOR_TABLE as ProgramTable, variables: Object.values(collectorVariables({}, '', 'linux')) },
  { table: UPLOADER_TABLE as ProgramTable, variables: Object.values(uploaderVariables({}, '')) },
].map((page) => ({ ...page, program: page.table.program }));

/** Formats a page with mandoc(1); returns the text without markup, words of a paragraph with one blank between them. */
function format(page: string, output: 'lint' | 'utf8'): { readonly text: string; readonly status: number | null } {
  const { stdout, stderr, status } = spawnSync('mandoc', ['-T', output, '-O', 'width=200'], {
    input: page,
    encoding: 'utf8',
  });
  return { text: `${stderr}${stdout}`.replaceAll(/.[\b]/g, '').replaceAll(/ +/g, ' '), status };
}

describe.each(programs)('manual page: $program', ({ table, variables, program }) => {
  const page = createManualPage({ table, variables, ...RELEASE });

  test('is formatted without a warning', () => {
    expect(format(page, 'lint')).toEqual({ text: '', status: 0 });
  });

  test('has the sections of a command’s page, with its name, section and version', () => {
    const { text } = format(page, 'utf8');
    expect(text.match(/^[A-Z][A-Z ]+$/gm)).toEqual([
      'NAME',
      'SYNOPSIS',
      'DESCRIPTION',
      'COMMANDS',
      'OPTIONS',
      'ENVIRONMENT',
      'EXIT STATUS',
      'FILES',
      'EXAMPLES',
      'SEE ALSO',
    ]);
    expect(text).toMatch(new RegExp(`^${program.toUpperCase()}\\(8\\)`));
    expect(text).toContain('Thugshells 1.2.3');
  });

  test('describes every command, option, example and variable', () => {
    const { text } = format(page, 'utf8');
    const lines = text.split('\n').map((line) => line.trim());
    for (const [name, { options = {}, examples, doc }] of Object.entries(table.commands)) {
      expect(lines).toContainEqual(expect.stringMatching(new RegExp(`^${name}( |$)`)));
      expect(text.toLowerCase()).toContain(doc.toLowerCase());
      for (const option of Object.keys(options)) expect(lines).toContainEqual(expect.stringMatching(`^${option}`));
      for (const example of Object.keys(examples)) expect(text).toContain(`${program} ${example}`);
    }
    for (const { env } of variables) expect(lines).toContainEqual(expect.stringMatching(`^THUGSHELLS_${env}( |$)`));
  });
});

test('manual page: shows what roff would take for its own as it is written', () => {
  const texts = ['.SH is no heading', "'tis no request", 'a \\fB is no font', 'dash-ed', 'it’s “quoted” …', 'ends\\'];
  const long = `${'word '.repeat(15)}${texts.join(' ')} ${'word '.repeat(3)}.so`;
  const examples = { run: 'it' };
  const table: ProgramTable = {
    program: 'x',
    summary: 'tests',
    commands: { run: { doc: 'run', details: long, examples } },
  };
  const page = createManualPage({ table, variables: [], ...RELEASE });
  expect(format(page, 'lint').text).toBe('');
  const { text } = format(page, 'utf8');
  for (const each of [...texts, '.so']) expect(text.replaceAll(/\s+/g, ' ')).toContain(each);
});
