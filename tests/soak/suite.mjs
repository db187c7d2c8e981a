/**
 * npm run test:soak: what needs minutes. Two minutes of soak with faults, a minute of both programs on a database that
 * is nearly full, a minute of node_exporter beside vmagent, a minute of random lives of a device against the model, two minutes
 * of random damage to databases, four minutes of receivers that are killed behind proxies, two minutes of uploads through
 * nginx, HAProxy, tinyproxy and servers of simple kinds, and then, with the machine to itself, seven minutes of the same
 * exporters beside Prometheus in agent mode. Extra arguments go to jest, which then runs once.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { checkAcceptance } from '../support/acceptance.ts';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';

const machine = await prepareMachineOrExit('test');
await prepare();
/** Compares when two programs scrape and when alerts fire. */
const ALONE = 'tests/soak/prometheus-agent';
const args = process.argv.slice(2);
const runs = args.length > 0 ? [args] : [['--testPathIgnorePatterns', ALONE], [ALONE]];
const results = runs.map((each) =>
  runJest(['--config', 'tests/soak/jest.config.js', ...each], { MODEL_SECONDS: '60', ...machine }),
);
const sum = (count) => results.reduce((total, result) => total + count(result), 0);
const tests = results.flatMap((result) => result.tests);
const passed = sum((result) => result.passed);
let failed = sum((result) => result.failed);
if (args.length === 0) {
  const list = readFileSync(join(root, 'tests', 'acceptance.md'), 'utf8');
  const problems = checkAcceptance(list, tests, ['tests/soak/']);
  for (const problem of problems) console.log(`failed: tests/acceptance.md: ${problem}`);
  failed += problems.length;
}
console.log(`\n${passed} passed, ${failed} failed`);
const areDone = results.every((result) => result.status === 0 && result.passed > 0);
process.exit(areDone && failed === 0 ? 0 : 1);
