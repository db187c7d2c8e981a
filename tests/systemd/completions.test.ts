/** The completions in the package, by each shell on a terminal of its own; nothing is installed. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { Terminal } from '../support/terminal.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'completions-'));
  expect(spawnSync('dpkg-deb', ['-x', process.env['THUGSHELLS_PACKAGE'] ?? '', folder]).status).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** For each shell how it is started, finds the completions in the package, and runs the command in place of the program. */
const shells = {
  bash: {
    command: 'bash --norc --noprofile -i',
    find: () => `source ${folder}/usr/share/bash-completion/completions/thugshells-uploader`,
    define: 'thugshells-uploader() { echo "ran: $*."; }',
  },
  zsh: {
    command: 'zsh -f -i',
    find: () => `fpath=(${folder}/usr/share/zsh/vendor-completions $fpath); autoload -U compinit; compinit -D -u`,
    define: 'thugshells-uploader() { echo "ran: $*."; }',
  },
  fish: {
    command: 'fish --no-config',
    find: () => `set -p fish_complete_path ${folder}/usr/share/fish/vendor_completions.d`,
    define: 'function thugshells-uploader; echo "ran: $argv."; end',
  },
};

test.each(Object.entries(shells))(
  'completions: %s completes a command, an option and a value',
  async (_name, shell) => {
    const terminal = new Terminal(shell.command, { INPUTRC: '/dev/null', HOME: folder });
    try {
      // The quotes keep what is typed from looking like what is printed.
      terminal.type(`${shell.find()}; ${shell.define}; echo rea''dy\n`);
      await terminal.shows(/ready/);
      terminal.type('thugshells-uploader requ\t--qua\t\n');
      await terminal.shows(/ran: requeue --quarantined *\./);
      terminal.type('thugshells-uploader verify --from n\t\n');
      await terminal.shows(/ran: verify --from now *\./);
    } finally {
      await terminal.close();
    }
  },
);
