import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { root } from '../../deploy/scripts/prepare.mjs';

/**
 * @typedef {{ file: string, fullName: string, title: string, status: string }} TestResult
 * @typedef {{ file: string, signal: string | undefined }} BrokenFile a file whose tests could not be run; the signal that ended its process
 * @typedef {{ status: number, tests: TestResult[], brokenFiles: BrokenFile[] }} Run
 */

/**
 * Runs jest in a process of its own, its output shown, and names what failed once more in lines of its own at the end.
 *
 * A file whose process was ended by a signal is run once more, and that is said. Such an end is rare and its cause not known;
 * jest runs modules by an interface of Node.js that is experimental. A fault that is always there ends the second one as well.
 *
 * @param {readonly string[]} args
 * @param {Readonly<Record<string, string>>} env added to this process's
 * @returns {{ status: number, tests: TestResult[], passed: number, failed: number }}
 *   the exit code, what ran, and the counts; a file that could not be loaded is one that failed
 */
export function runJest(args, env) {
  const first = runOnce(args, env);
  const { status, tests, brokenFiles } = first.brokenFiles.some(hasSignal) ? runEnded(first, args, env) : first;
  const failures = [
    ...brokenFiles.map(({ file }) => `${file}: could not be run`),
    ...tests.filter((test) => test.status === 'failed').map(({ file, fullName }) => `${file}: ${fullName}`),
  ];
  for (const failure of failures) console.log(`failed: ${failure}`);
  return {
    status,
    tests,
    passed: tests.filter((test) => test.status === 'passed').length,
    failed: failures.length,
  };
}

/**
 * Runs the files again whose processes were ended by a signal.
 *
 * @param {Run} first @param {readonly string[]} args @param {Readonly<Record<string, string>>} env @returns {Run}
 */
function runEnded(first, args, env) {
  const ended = first.brokenFiles.filter(hasSignal);
  for (const { file, signal } of ended) console.log(`\nagain: ${file}: its process was ended by ${signal}`);
  const config = args.includes('--config') ? args.slice(args.indexOf('--config')).slice(0, 2) : [];
  const second = runOnce([...config, '--runTestsByPath', ...ended.map(({ file }) => file)], env);
  const tests = [...first.tests, ...second.tests];
  const brokenFiles = [...first.brokenFiles.filter((each) => !hasSignal(each)), ...second.brokenFiles];
  const isSound = second.status === 0 && brokenFiles.length === 0 && tests.every((test) => test.status !== 'failed');
  return { status: isSound ? 0 : 1, tests, brokenFiles };
}

/** @param {readonly string[]} args @param {Readonly<Record<string, string>>} env @returns {Run} */
function runOnce(args, env) {
  const folder = mkdtempSync(join(tmpdir(), 'test-results-'));
  const resultsFile = join(folder, 'results.json');
  const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js'];
  const { status } = spawnSync(process.execPath, [...flags, ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TEST_RESULTS: resultsFile, ...env },
  });
  const { tests, brokenFiles } = existsSync(resultsFile)
    ? JSON.parse(readFileSync(resultsFile, 'utf8'))
    : { tests: [], brokenFiles: [{ file: 'jest' }] };
  rmSync(folder, { recursive: true });
  return { status: status ?? 1, tests, brokenFiles };
}

/** @param {BrokenFile} broken */
function hasSignal({ signal }) {
  return signal !== undefined;
}
