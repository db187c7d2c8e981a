import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { UPLOADER_TABLE } from '../../uploader/src/commands/command-table.ts';
import { createCompletions } from '../../deploy/scripts/completions.ts';
import { Terminal } from '../support/terminal.ts';

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'completion-'));
  file = join(folder, 'thugshells-uploader');
  writeFileSync(file, createCompletions(UPLOADER_TABLE).find(({ path }) => path.includes('/bash-completion/'))!.text);
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Returns what bash offers for the last of some words. */
function offer(...words: readonly string[]): string[] {
  const script = `source ${file}
    COMP_WORDS=(thugshells-uploader "$@") COMP_CWORD=$#
    _thugshells_uploader thugshells-uploader "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr } = spawnSync('bash', ['--norc', '-c', script, 'bash', ...words], { encoding: 'utf8' });
  expect(stderr).toBe('');
  return stdout.split('\n').filter((word) => word !== '');
}

describe('completion of bash: offers', () => {
  test('every command, and the options of the program', () => {
    expect(offer('')).toEqual([...Object.keys(UPLOADER_TABLE.commands), 'help', '--help', '--version']);
  });

  test.each([
    [['re'], ['requeue']],
    [['help', 'ver'], ['verify']],
    [
      ['status', ''],
      ['--json', '--watch', '--help'],
    ],
    [['requeue', '--q'], ['--quarantined']],
    [['verify', '--from', ''], ['now']],
    [['verify', '--from', '2h', '--t'], ['--to']],
    [['quarantine', '--limit', ''], []],
    [['--help', 'q'], ['quarantine']],
    [['nonsense', ''], []],
  ])('for %p: %p', (words, offered) => expect(offer(...words)).toEqual(offered));
});

test('completion of bash: completes what is typed on a terminal', async () => {
  const terminal = new Terminal('bash --norc --noprofile -i', { INPUTRC: '/dev/null' });
  try {
    terminal.type(`source ${file}; thugshells-uploader() { echo "ran: $*."; }\n`);
    terminal.type('thugshells-uploader requ\t--qua\t\n');
    await terminal.shows(/ran: requeue --quarantined\./);
  } finally {
    await terminal.close();
  }
});
