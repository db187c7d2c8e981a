/**
 * What the agent takes in quiet times: at a second's pace, the same with about as many samples a scrape as node_exporter
 * has, and as it is configured by default; beside it vmagent and Prometheus in agent mode with node_exporter, where they
 * are on this machine: those that npm run peers built before those that are installed. At a second's pace one runs after
 * the other. By default each takes less than a hundredth of a core, so they run at the same time, the peers with a scrape
 * every ten seconds.
 *
 *   node tests/bench/steady.mjs [--seconds 60] [--default-seconds 180] [--runs 1] [--json]
 */
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';
import { anonymousMB, cpuSeconds, diskBytesWritten, pssMB } from '../support/processes.ts';
import { Pair } from './parts/pair.mjs';
import { findPeers, findWithVersion, startPeer } from './parts/peers.mjs';
import { freePort, metricsOf, startReceiver, valueIn } from './parts/receiver.mjs';

const { values: options } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    'default-seconds': { type: 'string', default: '180' },
    runs: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
  },
});
/** Start-up, and the first uploads with all their series. */
const WARM_UP_MS = 20_000;
/** By default collectors that run once a minute have their first scrapes in it. */
const DEFAULT_WARM_UP_MS = 70_000;
const LOOK_INTERVAL_MS = 100;
const MIB_PER_MB = 1e6 / 1_048_576;
/** Beside those of the kernel on a machine with few devices: some 510 together, which is what node_exporter has there. */
const TEXT_FILE_SERIES = 450;
const EACH_SECOND = { INTERVAL: '1s', UPLOAD_INTERVAL: '1s' };
const BY_DEFAULT = { seconds: Number(options['default-seconds']), warmUpMs: DEFAULT_WARM_UP_MS };
const FAST = { seconds: Number(options.seconds), warmUpMs: WARM_UP_MS };

await prepare();

/** What some processes took while a receiver got samples. */
async function watch({ pids, receiver, wireBytes }, { seconds, warmUpMs }) {
  await sleep(warmUpMs);
  const ask = async () => ({ samples: await receiver.inserted(), wire: await wireBytes() });
  const look = () => ({
    cpu: pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0),
    disk: pids.reduce((sum, pid) => sum + diskBytesWritten(pid), 0),
  });
  // What an answer takes of the program that is asked stays outside.
  const before = { ...(await ask()), ...look() };
  const [pss, anonymous] = [[], []];
  for (let second = 0; second < seconds; second++) {
    await sleep(1_000);
    pss.push(pids.reduce((sum, pid) => sum + pssMB(pid), 0));
    anonymous.push(pids.reduce((sum, pid) => sum + anonymousMB(pid), 0));
  }
  const after = { ...look(), ...(await ask()) };
  const samples = after.samples - before.samples;
  return {
    cpuMsPerThousand: ((after.cpu - before.cpu) * 1e6) / samples,
    cpuPercent: ((after.cpu - before.cpu) / seconds) * 100,
    pssMiB: quantile(pss, 0.5) * MIB_PER_MB,
    anonymousMiB: quantile(anonymous, 0.5) * MIB_PER_MB,
    diskBytes: (after.disk - before.disk) / samples,
    wireBytes: (after.wire - before.wire) / samples,
    samplesPerSecond: samples / seconds,
  };
}

/** A folder with the text file of a script that counts. */
function textFiles(folder) {
  const directory = join(folder, 'textfiles');
  mkdirSync(directory);
  const lines = Array.from(
    { length: TEXT_FILE_SERIES },
    (_, index) => `script_events_total{queue="q${index % 30}",kind="k${index}"} ${index * 7919}`,
  );
  writeFileSync(join(directory, 'script.prom'), `# TYPE script_events_total counter\n${lines.join('\n')}\n`);
  return { TEXTFILE_DIR: directory };
}

async function ours({ withTextFile = false, ...given }, time) {
  const pair = new Pair();
  const variables = { ...given, ...(withTextFile ? textFiles(pair.folder) : {}) };
  const [port, healthPort] = [await freePort(), await freePort()];
  const receiver = await startReceiver(pair.folder, port);
  const programs = [
    pair.start('collector', variables),
    pair.start('uploader', {
      ...variables,
      REMOTE_URL: `http://127.0.0.1:${port}/api/v1/import`,
      HEALTH_PORT: String(healthPort),
    }),
  ];
  const startSeconds = await cpuToStart(
    programs.map(({ pid }) => pid),
    healthPort,
  );
  const wireBytes = async () => valueIn(await metricsOf(healthPort), 'uploader_bytes_sent_total');
  const seen = await watch({ pids: programs.map(({ pid }) => pid), receiver, wireBytes }, time);
  receiver.stop();
  await pair.stop();
  return { ...seen, startSeconds };
}

/** What both have taken when the health endpoint answers that samples are in the database. */
async function cpuToStart(pids, healthPort) {
  for (;;) {
    await sleep(LOOK_INTERVAL_MS);
    const report = await fetch(`http://127.0.0.1:${healthPort}/health`).then(
      (response) => response.json(),
      () => undefined,
    );
    if (report?.components.storage?.details?.collected > 0) return pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0);
  }
}

async function peer(found, { interval, ...time }) {
  const [receiverPort, exporterPort] = [await freePort(), await freePort()];
  const scraped = spawn(exporter.binary, [`--web.listen-address=127.0.0.1:${exporterPort}`], { stdio: 'ignore' });
  const running = await startPeer(found, { receiverPort, exporterPort, path: '/metrics', interval });
  const receiver = await startReceiver(running.folder, receiverPort);
  const pids = [scraped.pid, running.child.pid];
  const seen = await watch({ pids, receiver, wireBytes: running.wireBytes }, time);
  receiver.stop();
  scraped.kill('SIGKILL');
  await running.stop();
  return seen;
}

const exporter = await findWithVersion('node_exporter');
const peers = exporter === undefined ? [] : await findPeers();
const nameOf = ({ title }) => `${title} + ${exporter.title}`;

/** One run: what each took, by its name. */
async function run() {
  const fast = {
    'each second': await ours(EACH_SECOND, FAST),
    [`${TEXT_FILE_SERIES} more each second`]: await ours({ ...EACH_SECOND, withTextFile: true }, FAST),
  };
  for (const found of peers) fast[`${nameOf(found)}, each second`] = await peer(found, { ...FAST, interval: '1s' });
  const quiet = {
    'by default': ours({}, BY_DEFAULT),
    'by default, CHUNK_METRICS=2500': ours({ CHUNK_METRICS: '2500' }, BY_DEFAULT),
    'by default, FLUSH_INTERVAL=60s': ours({ FLUSH_INTERVAL: '60s' }, BY_DEFAULT),
    ...Object.fromEntries(
      peers.map((found) => [`${nameOf(found)}, every 10 s`, peer(found, { ...BY_DEFAULT, interval: '10s' })]),
    ),
  };
  for (const [name, seen] of Object.entries(quiet)) fast[name] = await seen;
  return fast;
}

/** What is printed of each, with its unit, in the order of the columns. */
const COLUMNS = {
  samplesPerSecond: ['samples a second', ''],
  cpuPercent: ['CPU of both', '% of a core'],
  cpuMsPerThousand: ['CPU for 1,000 samples', 'ms'],
  pssMiB: ['PSS of both', 'MiB'],
  anonymousMiB: ['anonymous memory of both', 'MiB'],
  wireBytes: ['wire bytes a sample with headers', 'bytes'],
  diskBytes: ['disk bytes a sample', 'bytes'],
  startSeconds: ['CPU of both to start', 's'],
};

const runs = [];
for (let count = 0; count < Number(options.runs); count++) runs.push(await run());
const figures = Object.keys(runs[0]).flatMap((name) =>
  Object.entries(COLUMNS).flatMap(([key, [what, unit]]) => {
    const values = runs.map((each) => each[name][key]).filter((value) => value !== undefined);
    return values.length === 0 ? [] : [{ name: `${name}: ${what}`, value: quantile(values, 0.5), unit }];
  }),
);
const { title: receiver } = await findWithVersion('victoria-metrics');
printFigures(
  `in quiet times, into ${receiver}, ${FAST.seconds} s each second, ${BY_DEFAULT.seconds} s by default, medians of ${runs.length}`,
  figures,
  options.json,
);
process.exit(0);
