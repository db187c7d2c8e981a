/**
 * npm test: installs and builds what is missing, checks types and import rules, runs the unit and integration tests,
 * and then holds the acceptance list against what ran. Extra arguments go to jest.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root, runTool } from '../deploy/prepare.mjs';
import { checkAcceptance } from './support/acceptance.mjs';
import { findVictoriaMetrics } from './support/find-victoria-metrics.mjs';

const resultsFile = join(root, 'var', 'test-results.json');

function step(title) {
  console.log(`\n— ${title}`);
}

async function requireVictoriaMetrics() {
  try {
    return await findVictoriaMetrics();
  } catch (error) {
    console.error(error.message);
    return process.exit(1);
  }
}

/** Runs jest; returns its exit code. */
function jest(victoriaMetrics, args) {
  const { status } = spawnSync(process.execPath, ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning', 'node_modules/jest/bin/jest.js', ...args], {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, TEST_RESULTS: resultsFile, VICTORIA_METRICS_BIN: victoriaMetrics },
  });
  return status ?? 1;
}

function readResults() {
  return existsSync(resultsFile) ? JSON.parse(readFileSync(resultsFile, 'utf8')) : { tests: [], brokenFiles: 1 };
}

step('installing and building');
prepare();
step('types of the tests');
runTool('typescript:tsc', ['-p', 'tests']);
step('lint and the walls between the rooms');
runTool('eslint', ['.']);
step('finding VictoriaMetrics');
const victoriaMetrics = await requireVictoriaMetrics();
console.log(victoriaMetrics);

const args = process.argv.slice(2);
step('tests');
rmSync(resultsFile, { force: true });
const status = jest(victoriaMetrics, args);
const { tests, brokenFiles } = readResults();
const passed = tests.filter((test) => test.status === 'passed').length;
let failed = tests.filter((test) => test.status === 'failed').length + brokenFiles;

if (args.length === 0) {
  step('the acceptance list');
  const problems = checkAcceptance(readFileSync(join(root, 'docs', 'milestone-2.md'), 'utf8'), tests);
  for (const problem of problems) console.error(problem);
  if (problems.length === 0) console.log('every test it names exists and passed');
  failed += problems.length;
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
