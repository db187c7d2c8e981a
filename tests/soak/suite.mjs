/**
 * npm run test:soak: what needs minutes. Two minutes of soak with faults, a minute of both programs on a database that
 * is nearly full, a minute of node_exporter beside vmagent, and a minute of random lives of a device against the model.
 * Extra arguments go to jest.
 */
import process from 'node:process';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { prepareMachineOrExit } from '../support/prepare-machine.mjs';
import { runJest } from '../support/run-jest.mjs';

const machine = await prepareMachineOrExit('test');
await prepare();
const { status, passed, failed } = runJest(['--config', 'tests/soak/jest.config.js', ...process.argv.slice(2)], {
  MODEL_SECONDS: '60',
  ...machine,
});
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
