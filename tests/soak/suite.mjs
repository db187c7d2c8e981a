/**
 * npm run test:soak: what needs minutes. Two minutes of soak with faults, a minute of both programs on a database that
 * is nearly full, a minute of node_exporter beside vmagent, a minute of random lives of a device against the model, two minutes
 * of random damage to databases, four minutes of receivers that are killed behind proxies, and two minutes of uploads through
 * nginx, HAProxy, tinyproxy and servers of simple kinds. Extra arguments go to jest.
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
const args = process.argv.slice(2);
const { status, tests, passed, ...counts } = runJest(['--config', 'tests/soak/jest.config.js', ...args], {
  MODEL_SECONDS: '60',
  ...machine,
});
let { failed } = counts;
if (args.length === 0) {
  const list = readFileSync(join(root, 'tests', 'acceptance.md'), 'utf8');
  const problems = checkAcceptance(list, tests, ['tests/soak/']);
  for (const problem of problems) console.log(`failed: tests/acceptance.md: ${problem}`);
  failed += problems.length;
}
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
