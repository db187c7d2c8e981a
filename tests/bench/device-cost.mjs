/**
 * What a device with every default costs its flash and its link, per day and month, and for how long its database holds an
 * outage: both programs, an nginx with TLS before VictoriaMetrics, and a relay that counts the bytes on the connections.
 *
 *   node tests/bench/device-cost.mjs [--factor 10] [--hours 1] [--set NAME=VALUE …] [--json]
 *
 * In fast motion: each interval is a default one divided by a factor, so that an upload carries as many samples as by
 * default and the disk is synced as often in an hour of work. Bytes are those of TCP's payload, in both directions; the
 * headers of TCP and IP are not in them. The collectors read this machine: one with more interfaces, disks or file systems
 * has more series.
 *
 * Without TLS is what nginx reads and writes of HTTP; with TLS what the relay counts, the handshakes of the requests that
 * have a connection of their own (those that compare clocks, every CLOCK_SKEW_INTERVAL) included. What TLS adds to a request
 * comes from the connection that is kept. nginx by default ends that one after an hour or 1,000 requests (keepalive_time,
 * keepalive_requests): 24 handshakes a day are added.
 *
 * --set gives a variable without its prefix, as a device has it: --set UPLOAD_INTERVAL=10m is divided by the factor too. Where uploads
 * are further apart than nginx keeps a connection that is idle (keepalive_timeout, 75 s), a handshake is added for each.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';
import { startNginx } from '../support/paths/proxies.ts';
import { diskBytesWritten } from '../support/processes.ts';
import { TestAuthority } from '../support/test-authority.ts';
import { startRelay } from './parts/counting-relay.mjs';
import { fastMotion } from './parts/fast-motion.mjs';
import { Pair } from './parts/pair.mjs';
import { freePort, startReceiver } from './parts/receiver.mjs';
import { withCleanup } from './parts/with-cleanup.mjs';

const { values: options } = parseArgs({
  options: {
    factor: { type: 'string', default: '10' },
    hours: { type: 'string', default: '1' },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'boolean', default: false },
  },
});
const factor = Number(options.factor);
const seconds = (Number(options.hours) * 3_600) / factor;
const DAY_SECONDS = 86_400;
const DAYS_A_MONTH = 30;
const HANDSHAKES_A_DAY = 24;
const KEEPALIVE_TIMEOUT_MS = 75_000;
/** Start-up, and the first uploads with all their series. */
const WARM_UP_MS = 15_000;

await prepare();
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { divideSpace } = await import('../../collector/src/store/space/limits.ts');
const given = Object.fromEntries(options.set.map((text) => text.split(/=(.*)/s, 2)));
const { collectorConfig, uploaderConfig, variables } = await fastMotion(factor, given);

/** The connections so far, in the order in which they began: what they carried of TCP, and of HTTP by nginx' own log. */
function readConnections(relay, requestLog) {
  const http = new Map();
  for (const line of readFileSync(requestLog, 'utf8').trim().split('\n')) {
    const [connection, sent, received] = line.split(' ').map(Number);
    const before = http.get(connection) ?? { requests: 0, sent: 0, received: 0 };
    http.set(connection, {
      requests: before.requests + 1,
      sent: before.sent + sent,
      received: before.received + received,
    });
  }
  const logged = [...http].sort(([one], [other]) => one - other).map(([, counted]) => counted);
  if (logged.length !== relay.connections.length)
    throw new Error('a connection without a request, or one that is under way');
  return relay.connections.map((tcp, index) => ({ tcp: { ...tcp }, http: logged[index] }));
}

const bytesOf = ({ sent, received }) => sent + received;
const sumOf = (connections, read) => connections.reduce((sum, connection) => sum + read(connection), 0);

/** Both programs on a database of their own, uploading by TLS to a relay before nginx before VictoriaMetrics. */
async function startDevice(later) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-device-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const authority = new TestAuthority(folder, 'authority');
  const day = DAY_SECONDS * 1000;
  const { cert, key } = authority.issue({
    subjectAltName: 'IP:127.0.0.1',
    notBeforeMs: Date.now() - day,
    notAfterMs: Date.now() + 90 * day,
  });
  const [certFile, keyFile, requestLog] = ['cert.pem', 'key.pem', 'requests'].map((name) => join(folder, name));
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  const receiverPort = await freePort();
  const receiver = await startReceiver(folder, receiverPort);
  later(() => receiver.stop());
  const nginx = await startNginx(receiverPort, { tls: { certFile, keyFile }, requestLog });
  later(() => nginx.stop());
  const relay = await startRelay(nginx.port);
  later(() => relay.close());
  const pair = new Pair();
  later(() => pair.stop());
  const collector = pair.start('collector', variables);
  const uploader = pair.start('uploader', {
    ...variables,
    REMOTE_URL: `https://127.0.0.1:${relay.port}/api/v1/import`,
    REMOTE_CA_FILE: authority.file,
    HEALTH_PORT: String(await freePort()),
  });
  await sleep(WARM_UP_MS);
  return { pair, relay, requestLog, pids: [collector.pid, uploader.pid] };
}

/** What is in the database: samples stored so far, and the bytes of its pages in use. */
function readDatabase(path) {
  const database = openDatabase(path, { readonly: true });
  const collected = database.prepare('SELECT collected FROM collector_state').pluck().get();
  const pages = database.pragma('page_count', { simple: true }) - database.pragma('freelist_count', { simple: true });
  const bytes = pages * database.pragma('page_size', { simple: true });
  database.close();
  return { collected, bytes };
}

async function measure(later) {
  const { pair, relay, requestLog, pids } = await startDevice(later);
  const look = () => ({
    ...readDatabase(pair.database),
    disk: sumOf(pids, diskBytesWritten),
    connections: readConnections(relay, requestLog),
    at: performance.now(),
  });
  const before = look();
  await sleep(seconds * 1000);
  const after = look();
  const work = ((after.at - before.at) / 1000) * factor;
  const perDay = (read) => ((read(after) - read(before)) / work) * DAY_SECONDS;
  const http = (read) => perDay(({ connections }) => sumOf(connections, (connection) => read(connection.http)));
  const samples = after.collected - before.collected;
  return {
    samples,
    samplesPerSecond: samples / work,
    bytesPerStored: (after.bytes - before.bytes) / samples,
    written: perDay(({ disk }) => disk),
    requests: http(({ requests }) => requests),
    sent: http(({ sent }) => sent),
    plain: http(bytesOf),
    tls: perDay(({ connections }) => sumOf(connections, ({ tcp }) => bytesOf(tcp))),
    ...measureTls(before.connections, after.connections),
  };
}

/** The bytes that TLS adds to a request over a kept connection, and those of a handshake. */
function measureTls(before, after) {
  const kept = after.findIndex(({ http }) => http.requests === Math.max(...after.map((each) => each.http.requests)));
  const added = ({ tcp, http }) => bytesOf(tcp) - bytesOf(http);
  const perRequest =
    (added(after[kept]) - added(before[kept])) / (after[kept].http.requests - before[kept].http.requests);
  const handshakes = after.filter(({ http }) => http.requests === 1).map((each) => added(each) - perRequest);
  return { perRequest, handshake: quantile(handshakes, 0.5), ownConnections: after.length - before.length };
}

const day = await withCleanup(measure);
const { uploadIntervalMs } = uploaderConfig;
const handshakesADay =
  uploadIntervalMs > KEEPALIVE_TIMEOUT_MS ? (DAY_SECONDS * 1000) / uploadIntervalMs : HANDSHAKES_A_DAY;
const tlsPerDay = day.tls + handshakesADay * day.handshake;
const { databaseBytes } = divideSpace(collectorConfig);
const MB = 1e6;
printFigures(
  `a device ${['by default', ...options.set].join(', ')}: ${options.hours} h of work in ${seconds.toFixed(0)} s (factor ${factor}), ${day.samples} samples`,
  [
    { name: 'samples a second', value: day.samplesPerSecond, unit: '' },
    { name: 'written to flash a day, both programs', value: day.written / MB, unit: 'MB' },
    { name: 'written to flash a month', value: (day.written * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'written to flash a sample', value: day.written / day.samplesPerSecond / DAY_SECONDS, unit: 'bytes' },
    { name: 'link a day without TLS, both directions', value: day.plain / MB, unit: 'MB' },
    { name: 'link a month without TLS', value: (day.plain * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'of it sent, the rest being responses', value: (day.sent / day.plain) * 100, unit: '%' },
    { name: 'link a day with TLS', value: tlsPerDay / MB, unit: 'MB' },
    { name: 'link a month with TLS', value: (tlsPerDay * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'requests a day', value: day.requests, unit: '' },
    { name: 'TLS adds to a request and its response', value: day.perRequest, unit: 'bytes' },
    { name: 'a handshake, both directions', value: day.handshake, unit: 'bytes' },
    { name: 'connections that were opened meanwhile', value: day.ownConnections, unit: '' },
    { name: 'bytes of the database a sample', value: day.bytesPerStored, unit: 'bytes' },
    {
      name: 'hours of outage that DB_MAX_SIZE holds',
      value: databaseBytes / day.bytesPerStored / day.samplesPerSecond / 3_600,
      unit: 'h',
    },
  ],
  options.json,
);
process.exit(0);
