import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, relative } from 'node:path';

import { root } from '../../deploy/scripts/prepare.mjs';

/** Leaves the name and the status of every test in the file that TEST_RESULTS names. */
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
      .map(({ testFilePath }) => relative(root, testFilePath));
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ tests, brokenFiles }));
  }
}
