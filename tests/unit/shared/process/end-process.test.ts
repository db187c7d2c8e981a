import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, expect, test } from '@jest/globals';

const folder = mkdtempSync(join(tmpdir(), 'end-process-'));
const fifo = join(folder, 'fifo');
execFileSync('mkfifo', [fifo]);
afterAll(() => rmSync(folder, { recursive: true }));

const module = join(import.meta.dirname, '../../../../shared/src/process/end-process.ts');

/** Runs a program that ends itself with 7 after `work`, and returns how it ended. */
function runToItsEnd(work: string) {
  const program = `import { open } from 'node:fs/promises';
    import { endProcess } from ${JSON.stringify(module)};
    process.on('exit', () => console.log('exit'));
    ${work}
    setTimeout(() => {
      console.log('last line');
      endProcess(7);
    }, 50);`;
  const { status, signal, stdout } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return { status, signal, stdout };
}

test('the end of a process does not wait for a file that nothing opens, and loses nothing that was written', () =>
  // No writer ever comes.
  expect(runToItsEnd(`void open(${JSON.stringify(fifo)});`)).toEqual({
    status: 7,
    signal: null,
    stdout: 'last line\n',
  }));

test('the end of a process without such a file is that of Node.js, which lets it clean up', () =>
  expect(runToItsEnd('')).toEqual({ status: 7, signal: null, stdout: 'last line\nexit\n' }));
