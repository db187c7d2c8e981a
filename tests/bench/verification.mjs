/**
 * What it costs to verify an hour of a device in the background: bytes on the link, in both directions, and CPU of this
 * process, against a real VictoriaMetrics through a relay that counts.
 *
 *   node tests/bench/verification.mjs [--series 160] [--interval 30] [--json]
 *
 * All series have a sample in each interval (seconds). The hour is verified as a run of THUGSHELLS_VERIFY_INTERVAL=1h verifies
 * it; then once more with nothing delivered meanwhile. Bytes are those of TCP's payload.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures } from '../support/figures.ts';
import { startRelay } from './parts/counting-relay.mjs';
import { freePort, startReceiver } from './parts/receiver.mjs';
import { withCleanup } from './parts/with-cleanup.mjs';

const { values: options } = parseArgs({
  options: {
    series: { type: 'string', default: '160' },
    interval: { type: 'string', default: '30' },
    json: { type: 'boolean', default: false },
  },
});
const series = Number(options.series);
const scrapes = 3_600 / Number(options.interval);
const samples = series * scrapes;

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { readStoredPoints } = await import('../support/stored-rows.ts');
const { directConnection } = await import('../support/uploader/direct-connection.ts');
const { systemClock: clock } = await import('../../shared/src/clock.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { silentLogger: logger } = await import('../../shared/src/logging/silent-logger.ts');
const { SettledRanges } = await import('../../uploader/src/queue/settled-ranges.ts');
const { QueryClient } = await import('../../uploader/src/transport/query-client.ts');
const { BackgroundVerifier } = await import('../../uploader/src/verification/background-verifier.ts');

/** Stretches the seconds between scrapes to intervals; far away first, where no row has the same time. */
function stretch(database) {
  const FAR_MS = 1e12;
  const newest = database.prepare('SELECT MAX(timestamp_ms) FROM samples').pluck().get();
  database
    .prepare('UPDATE samples SET timestamp_ms = ? - (? - timestamp_ms) * ?')
    .run(newest - FAR_MS, newest, BigInt(options.interval));
  database.prepare('UPDATE samples SET timestamp_ms = timestamp_ms + ?').run(BigInt(FAR_MS - 60_000));
}

async function deliver(path, port) {
  const bySeries = Map.groupBy(readStoredPoints(path), (point) => point.series);
  const lines = [...bySeries].map(([identity, points]) =>
    JSON.stringify({
      metric: Object.fromEntries(JSON.parse(identity)),
      values: points.map(({ value }) => value),
      timestamps: points.map(({ timestampMs }) => timestampMs),
    }),
  );
  await fetch(`http://127.0.0.1:${port}/api/v1/import`, { method: 'POST', body: lines.join('\n') });
  await fetch(`http://127.0.0.1:${port}/internal/force_flush`);
}

async function measure(later) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-verification-'));
  later(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'metrics.db');
  fillDatabase(path, { samples, series });
  const database = openDatabase(path);
  later(() => database.close());
  stretch(database);
  const port = await freePort();
  const receiver = await startReceiver(folder, port);
  later(() => receiver.stop());
  await deliver(path, port);
  const relay = await startRelay(port);
  later(() => relay.close());
  const remoteUrl = `http://127.0.0.1:${relay.port}/api/v1/import`;
  const client = new QueryClient({ ...directConnection, clock, remoteUrl, queryUrl: '' });
  later(() => client.close());
  const settled = new SettledRanges(database);
  const own = { requeues: true, now: () => clock.now(), isIdle: () => true };
  const verifier = new BackgroundVerifier({ clock, logger, database, settled, client, ...own });
  const run = async () => {
    const bytes = () => relay.connections.reduce((sum, { sent, received }) => sum + sent + received, 0);
    const [bytesBefore, cpuBefore] = [bytes(), process.cpuUsage()];
    await verifier.run(new AbortController().signal);
    const { user, system } = process.cpuUsage(cpuBefore);
    return { bytes: bytes() - bytesBefore, cpuMs: (user + system) / 1000 };
  };
  const flags = await run();
  settled.deliver([[1, samples]]);
  const hour = await run();
  const nothing = await run();
  if (verifier.state.missing > 0 || verifier.state.failure !== undefined || hour.bytes < 1000)
    throw new Error(`the hour was not verified: ${JSON.stringify(verifier.state)}`);
  return { flags, hour, nothing };
}

const { flags, hour, nothing } = await withCleanup(measure);
printFigures(
  `verification of an hour in the background: ${samples} samples of ${series} series`,
  [
    { name: 'link, both directions', value: hour.bytes / 1000, unit: 'kB' },
    { name: 'CPU', value: hour.cpuMs, unit: 'ms' },
    { name: 'link of a run with nothing new', value: nothing.bytes / 1000, unit: 'kB' },
    { name: 'CPU of a run with nothing new', value: nothing.cpuMs, unit: 'ms' },
    { name: 'link of the flags, once a day', value: flags.bytes / 1000, unit: 'kB' },
  ],
  options.json,
);
process.exit(0);
