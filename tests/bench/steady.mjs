/**
 * What the agent takes in quiet times: at a second's pace, the same with about as many samples a scrape as node_exporter
 * has, and as it is configured by default; beside it vmagent and Prometheus in agent mode with node_exporter, where they
 * are on this machine: those that npm run peers built before those that are installed.
 *
 *   node tests/bench/steady.mjs [--seconds 60] [--default-seconds 120] [--json]
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
    'default-seconds': { type: 'string', default: '120' },
    json: { type: 'boolean', default: false },
  },
});
/** Start-up, and the first uploads with all their series. */
const WARM_UP_MS = 20_000;
const LOOK_INTERVAL_MS = 100;
const MIB_PER_MB = 1e6 / 1_048_576;
/** Beside those of the kernel on a machine with few devices: some 510 together, which is what node_exporter has there. */
const TEXT_FILE_SERIES = 450;

await prepare();

/** What some processes took while a receiver got samples. */
async function watch({ pids, receiver, wireBytes, seconds }) {
  await sleep(WARM_UP_MS);
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

async function ours({ withTextFile = false, ...given }, seconds) {
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
  const seen = await watch({ pids: programs.map(({ pid }) => pid), receiver, wireBytes, seconds });
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

async function peer(found, exporterBinary, seconds) {
  const [receiverPort, exporterPort] = [await freePort(), await freePort()];
  const exporter = spawn(exporterBinary, [`--web.listen-address=127.0.0.1:${exporterPort}`], { stdio: 'ignore' });
  const running = await startPeer(found, { receiverPort, exporterPort, path: '/metrics' });
  const receiver = await startReceiver(running.folder, receiverPort);
  const seen = await watch({
    pids: [exporter.pid, running.child.pid],
    receiver,
    wireBytes: running.wireBytes,
    seconds,
  });
  receiver.stop();
  exporter.kill('SIGKILL');
  await running.stop();
  return seen;
}

const second = await ours({ INTERVAL: '1s', UPLOAD_INTERVAL: '1s' }, Number(options.seconds));
const secondWithMore = await ours(
  { INTERVAL: '1s', UPLOAD_INTERVAL: '1s', withTextFile: true },
  Number(options.seconds),
);
const byDefault = await ours({}, Number(options['default-seconds']));
const figures = [
  { name: 'CPU of both, each second', value: second.cpuPercent, unit: '% of a core' },
  { name: 'wire bytes a sample with headers, each second', value: second.wireBytes, unit: 'bytes' },
  { name: 'disk bytes a sample, each second', value: second.diskBytes, unit: 'bytes' },
  {
    name: `CPU for 1,000 samples, ${TEXT_FILE_SERIES} more each second`,
    value: secondWithMore.cpuMsPerThousand,
    unit: 'ms',
    reach: '15',
  },
  { name: `CPU of both, ${TEXT_FILE_SERIES} more each second`, value: secondWithMore.cpuPercent, unit: '% of a core' },
  {
    name: `wire bytes a sample with headers, ${TEXT_FILE_SERIES} more each second`,
    value: secondWithMore.wireBytes,
    unit: 'bytes',
    reach: '14',
  },
  { name: `disk bytes a sample, ${TEXT_FILE_SERIES} more each second`, value: secondWithMore.diskBytes, unit: 'bytes' },
  { name: 'CPU of both, by default', value: byDefault.cpuPercent, unit: '% of a core', reach: '1' },
  { name: 'PSS of both, by default', value: byDefault.pssMiB, unit: 'MiB', reach: '85' },
  { name: 'anonymous memory of both, by default', value: byDefault.anonymousMiB, unit: 'MiB', reach: '50' },
  { name: 'CPU of both to start', value: byDefault.startSeconds, unit: 's', reach: '0.5' },
  { name: 'wire bytes a sample with headers, by default', value: byDefault.wireBytes, unit: 'bytes' },
];
const exporter = await findWithVersion('node_exporter');
for (const found of exporter === undefined ? [] : await findPeers()) {
  const seen = await peer(found, exporter.binary, Number(options.seconds));
  const who = `${found.title} + ${exporter.title}`;
  figures.push(
    { name: `${who}: CPU of both, each second`, value: seen.cpuPercent, unit: '% of a core' },
    { name: `${who}: CPU for 1,000 samples, each second`, value: seen.cpuMsPerThousand, unit: 'ms' },
    { name: `${who}: wire bytes a sample`, value: seen.wireBytes, unit: 'bytes' },
    { name: `${who}: disk bytes a sample`, value: seen.diskBytes, unit: 'bytes' },
    { name: `${who}: PSS`, value: seen.pssMiB, unit: 'MiB' },
  );
}
const { title: receiver } = await findWithVersion('victoria-metrics');
printFigures(
  `in quiet times, into ${receiver}, ${options.seconds} s each second, ${options['default-seconds']} s by default`,
  figures,
  options.json,
);
process.exit(0);
