/**
 * What a device with every default costs its flash and its link, per day and month, and for how long its database holds an
 * outage: both programs, an nginx with TLS before VictoriaMetrics, and a relay that counts the bytes on the connections.
 *
 *   node tests/bench/device-cost.mjs [--factor 10] [--hours 1] [--json]
 *
 * In fast motion: each interval is a default one divided by a factor, so that an upload carries as many samples as by
 * default and the disk is synced as often in an hour of work. Bytes are those of TCP's payload, in both directions; the
 * headers of TCP and IP are not in them. The collectors read this machine: one with more interfaces, disks or file systems
 * has more series.
 *
 * Without TLS is what nginx reads and writes of HTTP. What TLS adds to a request comes from connections that stay open, what
 * a handshake takes from those of a second nginx, which ends each after 20 requests. nginx by default ends a connection
 * after an hour or 1,000 requests (keepalive_time, keepalive_requests): 24 handshakes a day are added.
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
    json: { type: 'boolean', default: false },
  },
});
const factor = Number(options.factor);
const seconds = (Number(options.hours) * 3_600) / factor;
const DAY_SECONDS = 86_400;
const DAYS_A_MONTH = 30;
const HANDSHAKES_A_DAY = 24;
/** Start-up, and the first uploads with all their series. */
const WARM_UP_MS = 15_000;
const FEW_REQUESTS = 20;
const HANDSHAKE_SECONDS = 45;

await prepare();
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { divideSpace } = await import('../../collector/src/store/space/limits.ts');
const { collectorConfig, variables } = await fastMotion(factor);

/** The lines that nginx has written so far, as bytes sent to it and received, by connection in the order of their beginning. */
function readRequests(file) {
  const lines = readFileSync(file, 'utf8').trim().split('\n').filter(Boolean);
  const byConnection = new Map();
  for (const [connection, sent, received, session] of lines.map((line) => line.split(' '))) {
    const before = byConnection.get(connection) ?? { requests: 0, sent: 0, received: 0, isResumed: session === 'r' };
    byConnection.set(connection, {
      ...before,
      requests: before.requests + 1,
      sent: before.sent + Number(sent),
      received: before.received + Number(received),
    });
  }
  return [...byConnection.values()];
}

const add = (all) =>
  all.reduce(
    (sum, { sent, received, requests = 0 }) => ({
      sent: sum.sent + sent,
      received: sum.received + received,
      requests: sum.requests + requests,
    }),
    { sent: 0, received: 0, requests: 0 },
  );
const minus = (after, before) =>
  Object.fromEntries(Object.entries(after).map(([name, value]) => [name, value - before[name]]));

/** Both programs on a database of their own, uploading by TLS to a relay before nginx before VictoriaMetrics. */
async function startDevice(keepaliveRequests, later) {
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
  const nginx = await startNginx(receiverPort, { tls: { certFile, keyFile }, keepaliveRequests, requestLog });
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

async function measureDay(later) {
  const { pair, relay, requestLog, pids } = await startDevice(undefined, later);
  const look = () => ({
    ...readDatabase(pair.database),
    disk: pids.reduce((sum, pid) => sum + diskBytesWritten(pid), 0),
    http: add(readRequests(requestLog)),
    tcp: add(relay.connections),
    connections: relay.connections.length,
    at: performance.now(),
  });
  const before = look();
  await sleep(seconds * 1000);
  const after = look();
  if (after.connections !== before.connections) throw new Error('a connection ended while the records were counted');
  const work = ((after.at - before.at) / 1000) * factor;
  const aDay = (field) => ((after[field] - before[field]) / work) * DAY_SECONDS;
  const ofDay = (part) =>
    ((after[part].sent - before[part].sent + after[part].received - before[part].received) / work) * DAY_SECONDS;
  const http = minus(after.http, before.http);
  const tcp = minus(after.tcp, before.tcp);
  return {
    samples: after.collected - before.collected,
    samplesPerSecond: (after.collected - before.collected) / work,
    samplesBytes: (after.bytes - before.bytes) / (after.collected - before.collected),
    writtenPerDay: aDay('disk'),
    httpPerDay: ofDay('http'),
    sentShare: http.sent / (http.sent + http.received),
    recordsPerDay: ofDay('tcp') - ofDay('http'),
    requestsPerDay: (http.requests / work) * DAY_SECONDS,
    overheadPerRequest: (tcp.sent + tcp.received - http.sent - http.received) / http.requests,
  };
}

/** The bytes that a handshake takes, in both directions, of those connections that have ended. */
async function measureHandshakes(overheadPerRequest, later) {
  const { relay, requestLog } = await startDevice(FEW_REQUESTS, later);
  await sleep(HANDSHAKE_SECONDS * 1000);
  const requests = readRequests(requestLog);
  const handshakes = requests.slice(0, -1).map(({ sent, received, requests: count, isResumed }, index) => {
    const counted = relay.connections[index];
    return { bytes: counted.sent + counted.received - sent - received - count * overheadPerRequest, isResumed };
  });
  if (handshakes.length < 2) throw new Error(`nginx ended only ${handshakes.length} connections`);
  return handshakes;
}

const day = await withCleanup(measureDay);
const handshakes = await withCleanup((later) => measureHandshakes(day.overheadPerRequest, later));
const bytesOf = (isResumed) => handshakes.filter((each) => each.isResumed === isResumed).map(({ bytes }) => bytes);
const [full, resumed] = [bytesOf(false), bytesOf(true)];
const handshake = quantile(resumed.length > 0 ? resumed : full, 0.5);
const tlsPerDay = day.httpPerDay + day.recordsPerDay + HANDSHAKES_A_DAY * handshake;
const { databaseBytes } = divideSpace(collectorConfig);
const MB = 1e6;
printFigures(
  `a device by default: ${options.hours} h of work in ${seconds.toFixed(0)} s (factor ${factor}), ${day.samples} samples`,
  [
    { name: 'samples a second', value: day.samplesPerSecond, unit: '' },
    { name: 'written to flash a day, both programs', value: day.writtenPerDay / MB, unit: 'MB' },
    { name: 'written to flash a month', value: (day.writtenPerDay * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'written to flash a sample', value: day.writtenPerDay / day.samplesPerSecond / DAY_SECONDS, unit: 'bytes' },
    { name: 'link a day without TLS, both directions', value: day.httpPerDay / MB, unit: 'MB' },
    { name: 'link a month without TLS', value: (day.httpPerDay * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'of it sent, the rest being responses', value: day.sentShare * 100, unit: '%' },
    { name: 'link a day with TLS', value: tlsPerDay / MB, unit: 'MB' },
    { name: 'link a month with TLS', value: (tlsPerDay * DAYS_A_MONTH) / MB, unit: 'MB' },
    { name: 'requests a day', value: day.requestsPerDay, unit: '' },
    { name: 'TLS records, for a request and its response', value: day.overheadPerRequest, unit: 'bytes' },
    ...(full.length === 0 ? [] : [{ name: 'a full handshake', value: quantile(full, 0.5), unit: 'bytes' }]),
    ...(resumed.length === 0 ? [] : [{ name: 'a resumed handshake', value: quantile(resumed, 0.5), unit: 'bytes' }]),
    { name: 'bytes of the database a sample', value: day.samplesBytes, unit: 'bytes' },
    {
      name: 'hours of outage that DB_MAX_SIZE holds',
      value: databaseBytes / day.samplesBytes / day.samplesPerSecond / 3_600,
      unit: 'h',
    },
  ],
  options.json,
);
process.exit(0);
