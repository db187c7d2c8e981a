/**
 * npm test: installs the Debian packages that the tests run, builds what is missing, checks types and import rules,
 * runs the unit and integration tests, and then holds the acceptance list against what ran. Extra arguments go to jest;
 * with them nothing is checked but the tests, as the checks take minutes and stop at the first error of any file.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root, run, runTool } from '../deploy/scripts/prepare.mjs';
import { checkAcceptance } from './support/acceptance.ts';
import { prepareMachineOrExit } from './support/prepare-machine.mjs';
import { recordVersions } from './support/record-versions.mjs';
import { findVersions } from './support/report-versions.ts';
import { runJest } from './support/run-jest.mjs';

function step(title) {
  console.log(`\n— ${title}`);
}

step('Debian packages');
const machine = await prepareMachineOrExit('test');
step('installing and building');
await prepare();
const args = process.argv.slice(2);
if (args.length === 0) {
  step('types');
  runTool('typescript:tsc', []);
  step('lint, boundaries and format');
  runTool('eslint', ['.']);
  runTool('prettier', ['--check', '--log-level', 'warn', '.']);
  run(process.execPath, ['deploy/scripts/lint-workflows.mjs']);
}

step('tests');
const { line, versions, arePeers } = await findVersions({ ...process.env, ...machine });
console.log(`against ${line}`);
const { status, tests, passed, ...counts } = runJest(args, machine);
let { failed } = counts;

if (args.length === 0) {
  step('the acceptance list');
  const problems = checkAcceptance(readFileSync(join(root, 'tests', 'acceptance.md'), 'utf8'), tests, [
    'tests/unit/',
    'tests/integration/',
  ]);
  for (const problem of problems) console.log(`failed: tests/acceptance.md: ${problem}`);
  if (problems.length === 0) console.log('every test it names ran and passed');
  failed += problems.length;
}
if (args.length === 0 && arePeers && status === 0 && failed === 0) failed += recordVersions('today', versions);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
