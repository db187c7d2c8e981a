/**
 * npm run leaks -- [--count 10000] [--json]
 *
 * Both programs at their fastest pace against a real VictoriaMetrics until so many scrapes and so many posts are done;
 * the heap after a full collection and the open descriptors of each are compared early and late. Exit 1 where one grew.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { Pair } from '../bench/parts/pair.mjs';
import { freePort, metricsOf, startReceiver, valueIn } from '../bench/parts/receiver.mjs';
import { printFigures, quantile } from '../support/figures.ts';
import { pssMB } from '../support/processes.ts';

const PROGRAMS = ['collector', 'uploader'];
const PACE = { INTERVAL: '100ms', UPLOAD_INTERVAL: '100ms', PROBE_INTERVAL: '1s', RETENTION: '5m' };
/** What V8 keeps of compiled code still grows by 0.3 MB; 60 bytes a post that stayed behind made it 0.8 in 10,000. */
const GROWTH_MB = 0.5;
const GROWTH_DESCRIPTORS = 2;

const { values: options } = parseArgs({
  options: { count: { type: 'string', default: '10000' }, json: { type: 'boolean', default: false } },
});
const wanted = Number(options.count);
if (!(wanted >= 1000))
  throw new Error(`--count is "${options.count}"; it takes a number of scrapes and posts, at least 1000`);

/** Medians of the second and of the last fifth of some values. */
function earlyAndLate(values) {
  const fifth = Math.floor(values.length / 5);
  return { early: quantile(values.slice(fifth, 2 * fifth), 0.5), late: quantile(values.slice(-fifth), 0.5) };
}

await prepare();
const pair = new Pair();
const [port, healthPort] = [await freePort(), await freePort()];
const receiver = await startReceiver(pair.folder, port);
const remote = { REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`, HEALTH_PORT: String(healthPort) };
const preload = fileURLToPath(new URL('memory-report.mjs', import.meta.url));
const running = PROGRAMS.map((program) => {
  const report = join(pair.folder, `${program}.memory`);
  const child = pair.start(program, { ...PACE, ...remote }, 'ignore', {
    NODE_OPTIONS: `--import=${preload}`,
    MEMORY_REPORT: report,
  });
  return { program, report, child, pss: [] };
});

const done = { scrapes: 0, posts: 0 };
for (let second = 0; Math.min(done.scrapes, done.posts) < wanted; second++) {
  await sleep(1_000);
  for (const { child, pss } of running) pss.push(pssMB(child.pid));
  const own = await metricsOf(healthPort).catch(() => '');
  done.scrapes = valueIn(own, 'collector_collection_duration_seconds_count') || done.scrapes;
  done.posts = valueIn(own, 'uploader_upload_duration_seconds_count') || done.posts;
  if (second % 30 === 0) console.error(`${done.scrapes} scrapes, ${done.posts} posts`);
}

const rows = running.flatMap(({ program, report, pss }) => {
  const reported = readFileSync(report, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  const figures = {
    heap: { unit: 'MB', values: reported.map(({ heapUsed }) => heapUsed / 1e6), most: GROWTH_MB },
    'memory outside of the heap': {
      unit: 'MB',
      values: reported.map(({ external }) => external / 1e6),
      most: GROWTH_MB,
    },
    descriptors: { unit: '', values: reported.map(({ descriptors }) => descriptors), most: GROWTH_DESCRIPTORS },
    PSS: { unit: 'MB', values: pss, most: Infinity },
  };
  return Object.entries(figures).map(([name, { unit, values, most }]) => ({
    name: `${program}: ${name}`,
    unit,
    most,
    ...earlyAndLate(values),
  }));
});
receiver.stop();
await pair.stop();

const grown = rows.filter(({ early, late, most }) => late - early > most);
const figures = rows.flatMap(({ name, unit, early, late, most }) => [
  { name: `${name}, early`, value: early, unit },
  { name: `${name}, late`, value: late, unit, ...(most === Infinity ? {} : { reach: `at most ${most} more` }) },
]);
printFigures(
  `${done.scrapes} scrapes and ${done.posts} posts: medians of the second and of the last fifth of the run`,
  figures,
  options.json,
);
if (grown.length > 0) console.error(`grown: ${grown.map(({ name }) => name).join(', ')}`);
process.exit(grown.length > 0 ? 1 : 0);
