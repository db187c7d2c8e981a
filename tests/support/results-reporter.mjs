import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';

import { root } from '../../deploy/scripts/prepare.mjs';

/** What jest says of a process of its own that died. */
const ENDED_BY_SIGNAL = /^A jest worker process .* was terminated by another process: signal=(\w+)/;

/** Leaves the name and the status of every test, and the files that could not be run, in the file that TEST_RESULTS names. */
export default class ResultsReporter {
  onRunComplete(_contexts, results) {
    const file = process.env['TEST_RESULTS'];
    if (!file) return;
    const tests = results.testResults.flatMap(({ testFilePath, testResults }) =>
      testResults.map(({ fullName, title, status }) => ({
        file: relative(root, testFilePath),
        fullName,
        title,
        status,
      })),
    );
    // A file that could not even be loaded has no tests to fail.
    const brokenFiles = results.testResults
      .filter(({ testExecError }) => testExecError)
      .map(({ testFilePath, testExecError: { message } }) => ({
        file: relative(root, testFilePath),
        signal: message?.match(ENDED_BY_SIGNAL)?.[1],
      }));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ tests, brokenFiles }));
  }
}
