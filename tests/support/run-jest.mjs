import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { root } from '../../deploy/scripts/prepare.mjs';

const resultsFile = join(root, 'var', 'test-results.json');

/**
 * Runs jest in a process of its own, its output shown, and names what failed once more in lines of its own at the end.
 *
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string>>} env added to this process's
 * @returns {{ status: number, tests: { fullName: string, title: string, status: string }[], passed: number, failed: number }}
 *   the exit code, what ran, and the counts; a file that could not be loaded is one that failed
 */
export function runJest(args, env) {
  rmSync(resultsFile, { force: true });
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const { status } = spawnSync(process.execPath, [...flags, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TEST_RESULTS: resultsFile, ...env },
  });
  const { tests, brokenFiles } = existsSync(resultsFile)
    ? JSON.parse(readFileSync(resultsFile, 'utf8'))
    : { tests: [], brokenFiles: ['jest'] };
  const failures = [
    ...brokenFiles.map((file) => `${file}: could not be run`),
    ...tests.filter((test) => test.status === 'failed').map(({ file, fullName }) => `${file}: ${fullName}`),
  ];
  for (const failure of failures) console.log(`failed: ${failure}`);
  return {
    status: status ?? 1,
    tests,
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: failures.length,
  };
}
