import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { afterEach, beforeEach, expect, test } from '@jest/globals';

const root = join(import.meta.dirname, '../../..');
const SOUND = "test('is sound', () => undefined);";
const DIES = "process.kill(process.pid, 'SIGSEGV');";
/** A file beside the tests is there from its first process on. */
const DIES_ONCE = `
  const died = new URL('./died', import.meta.url);
  if (!fs.existsSync(died)) {
    fs.writeFileSync(died, '');
    ${DIES}
  }
  ${SOUND}`;

let folder: string;

beforeEach(() => {
  mkdirSync(join(root, 'var'), { recursive: true });
  folder = mkdtempSync(join(root, 'var', 'run-jest-'));
});

afterEach(() => rmSync(folder, { recursive: true }));

/** Runs jest with some test files; returns its output and the result. */
function runFiles(files: Readonly<Record<string, string>>): { readonly output: string; readonly result: unknown } {
  for (const [name, content] of Object.entries(files))
    writeFileSync(join(folder, `${name}.test.mjs`), `import fs from 'node:fs';\n${content}`);
  const reporters = [join(root, 'tests', 'support', 'results-reporter.mjs')];
  const config = join(folder, 'jest.config.json');
  writeFileSync(config, JSON.stringify({ rootDir: folder, testMatch: ['<rootDir>/*.test.mjs'], reporters }));
  const script = `
    const { runJest } = await import(${JSON.stringify(join(root, 'tests', 'support', 'run-jest.mjs'))});
    const { status, passed, failed } = runJest(['--config', ${JSON.stringify(config)}, '--maxWorkers', '2'], {});
    console.log(JSON.stringify({ status, passed, failed }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8' });
  const lines = stdout.trim().split('\n');
  return { output: stdout + stderr, result: JSON.parse(lines.at(-1)!) };
}

test('a file whose process was ended by a signal is run once more, which is said', () => {
  const { output, result } = runFiles({ sound: SOUND, once: DIES_ONCE });
  expect(output).toMatch(/^again: .*once\.test\.mjs: its process was ended by SIGSEGV$/m);
  expect(result).toEqual({ status: 0, passed: 2, failed: 0 });
});

test('a file that ends its process again has failed', () => {
  const { output, result } = runFiles({ sound: SOUND, dies: DIES });
  expect(output).toMatch(/^failed: /m);
  expect(result).toEqual({ status: 1, passed: 1, failed: 1 });
});

test('no other failure is run again', () => {
  const { output, result } = runFiles({
    sound: SOUND,
    fails: "test('fails', () => { throw new Error('as it should'); });",
    unreadable: '(',
  });
  expect(output).not.toMatch(/^again: /m);
  expect(result).toEqual({ status: 1, passed: 1, failed: 2 });
});
