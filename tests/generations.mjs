/**
 * npm run test:generations: the tests of what a receiver does, against Debian's of 2022 and 2023; npm test runs them
 * against those of today when npm run peers has built them. Extra arguments go to jest in place of the list.
 */
import process from 'node:process';

import { prepare } from '../deploy/scripts/prepare.mjs';
import { prepareMachineOrExit } from './support/prepare-machine.mjs';
import { recordVersions } from './support/record-versions.mjs';
import { findVersions } from './support/report-versions.ts';
import { runJest } from './support/run-jest.mjs';

const FILES = ['victoria-metrics-contract', 'remote-write-contract', 'outages', 'kills', 'remote-write'];

const machine = await prepareMachineOrExit('test');
await prepare();
const environment = { ...machine, PEERS: 'debian' };
const { line, versions } = await findVersions({ ...process.env, ...environment });
console.log(`against ${line}`);
const given = process.argv.slice(2);
const args = given.length > 0 ? given : FILES.map((name) => `tests/integration/${name}.test.ts`);
const { status, passed, ...counts } = runJest(args, environment);
let { failed } = counts;
if (given.length === 0 && status === 0 && failed === 0) failed += recordVersions('debian', versions);
console.log(`\n${passed} passed, ${failed} failed`);
process.exit(status === 0 && failed === 0 && passed > 0 ? 0 : 1);
