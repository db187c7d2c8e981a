/**
 * What uploads cost through the proxies and receivers of the field, and what of them is lost when the receiver is killed
 * twice: bytes on the wire, requests, samples that came twice, CPU time.
 *
 *   node tests/bench/receivers.mjs [--seconds 60] [--only nginx] [--programs FOLDER] [--at-once 4] [--json]
 */
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { runPath } from '../support/paths/path-run.ts';
import { KILLED, PATHS } from '../support/paths/scenarios.ts';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    only: { type: 'string', default: '' },
    programs: { type: 'string' },
    'at-once': { type: 'string', default: '4' },
    json: { type: 'boolean', default: false },
  },
});

if (options.programs === undefined) await prepare();
const runner = options.programs === undefined ? undefined : { command: [process.execPath], folder: options.programs };
const all = [...PATHS, ...KILLED.map((each) => ({ ...each, name: `${each.name}, killed` }))];
const left = all.filter(({ name }) => name.includes(options.only));
const results = [];

async function work() {
  for (let scenario = left.shift(); scenario !== undefined; scenario = left.shift()) {
    const figures = await runPath(scenario, { seconds: Number(options.seconds), runner }).catch((error) => ({
      error: error.message,
    }));
    results.push({ name: scenario.name, ...figures });
    console.error(`${scenario.name}: ${JSON.stringify(figures)}`);
  }
}

await Promise.all(Array.from({ length: Number(options['at-once']) }, work));
results.sort((a, b) => all.findIndex(({ name }) => name === a.name) - all.findIndex(({ name }) => name === b.name));
if (options.json) console.log(JSON.stringify(results));
else {
  console.log('| path | samples | lost | came twice | bytes sent, received a sample | HEAD, GET | CPU ms |');
  console.log('|---|---|---|---|---|---|---|');
  for (const each of results) {
    if (each.error !== undefined) console.log(`| ${each.name} | ${each.error} |`);
    else
      console.log(
        `| ${[
          each.name,
          each.samples,
          each.lost,
          `${(each.repeatedShare * 100).toFixed(1)} %`,
          `${each.bytesSentPerSample.toFixed(1)}, ${each.bytesReceivedPerSample.toFixed(1)}`,
          `${each.requests.HEAD ?? 0}, ${each.requests.GET ?? 0}`,
          each.uploaderCpuMs.toFixed(0),
        ].join(' | ')} |`,
      );
  }
}
