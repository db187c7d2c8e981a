/**
 * How many bytes a sample costs the disk, on its way from the scrape to its acknowledgement: the real store and the real
 * acknowledgements in one process, by a clock that is driven; 60 samples a scrape, a scrape every 10 s, an upload of
 * chunks of 50 every 30 s, WAL checkpoints by default. Bytes are write_bytes of /proc/self/io (proc(5)), so the folder
 * has to be on a disk.
 *
 *   node tests/bench/flash.mjs [--samples 360000] [--folder DIR] [--json]
 */
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/prepare.mjs';

const { values: options } = parseArgs({
  options: { samples: { type: 'string', default: '360000' }, folder: { type: 'string', default: tmpdir() }, json: { type: 'boolean', default: false } },
});

prepare();
const { openDatabase } = await import('../../shared/dist/database/open.js');
const { rangesOf } = await import('../../shared/dist/id-ranges.js');
const { noCounters } = await import('../../collector/dist/collector-status.js');
const { spaceLimits } = await import('../../collector/dist/store/space.js');
const { Store } = await import('../../collector/dist/store/store.js');
const { Acknowledgements } = await import('../../uploader/dist/acknowledgements.js');
const { Settled } = await import('../../uploader/dist/settled.js');

const SERIES = 60;
const SCRAPE_MS = 10_000;
const UPLOAD_MS = 30_000;
const CHUNK = 50;
const quiet = { error() {}, warn() {}, info() {}, debug() {}, child: () => quiet };
const series = Array.from({ length: SERIES }, (_, index) => ({
  series: { name: index % 2 === 0 ? 'network.rx_bytes_total' : 'cpu.usage_percent', kind: 'gauge', unit: 'none', help: '', priority: 1 },
  labels: { place: String(index) },
}));

/** Time that passes only here. */
class DrivenClock {
  ms = Date.now();
  now = () => this.ms;
  monotonic = () => this.ms;
  sinceBoot = () => this.ms;
  sleep = async () => undefined;
}

function writtenBytes() {
  return Number(/^write_bytes: (\d+)$/m.exec(readFileSync('/proc/self/io', 'utf8'))[1]);
}

function storeOn(path, clock, flushIntervalMs) {
  const store = new Store({
    ...{ clock, logger: quiet, dbPath: path, flushIntervalMs, labels: {}, deviceId: 'bench', collectors: ['bench'] },
    limits: spaceLimits({ dbMaxBytes: 512 * 1024 ** 2, walCheckpointBytes: 64 * 1024 ** 2 }),
    session: { id: 'bench', startedAtMs: clock.now(), metadata: { version: '0', kernel: '', host: 'bench' } },
    ...{ builtAtMs: 0, syncIntervalMs: 30_000, walCheckpointIntervalMs: 3_600_000, retentionMs: 72 * 3_600_000 },
    ...{ readWrittenBytes: () => 0, checkWorkerFile: '' },
  });
  store.open();
  return store;
}

/** Ids in the order of a body: by series, then time. */
function chunksOf(firstId, lastId) {
  const ids = Array.from({ length: lastId - firstId + 1 }, (_, index) => firstId + index);
  ids.sort((a, b) => ((a - firstId) % SERIES) - ((b - firstId) % SERIES) || a - b);
  return Array.from({ length: Math.ceil(ids.length / CHUNK) }, (_, chunk) => ids.slice(chunk * CHUNK, (chunk + 1) * CHUNK));
}

function measure(flushIntervalMs) {
  const folder = mkdtempSync(join(options.folder, 'flash-'));
  const path = join(folder, 'metrics.db');
  const clock = new DrivenClock();
  const store = storeOn(path, clock, flushIntervalMs);
  const database = openDatabase(path);
  const acknowledgements = new Acknowledgements(database, new Settled(database), { clock, replayWindowMs: 15_000 });
  const lastId = database.prepare('SELECT last_id FROM collector_state').pluck();
  const before = writtenBytes();
  let sent = 0;
  for (let scrape = 1; scrape * SERIES <= Number(options.samples); scrape++) {
    clock.ms += SCRAPE_MS;
    const at = { wallMs: clock.ms, monotonicMs: clock.ms, sinceBootMs: clock.ms };
    const readings = series.map((each, index) => ({ ...each, value: index % 2 === 0 ? scrape * 1_500 + index : ((scrape * 31 + index) % 1_000) / 10 }));
    const status = { collector: 'bench', status: 'ok', message: '', sinceMs: clock.ms, intervalMs: SCRAPE_MS, lastScrapeMs: clock.ms, durationMs: 1, ...noCounters() };
    store.add({ at, samples: store.admit(readings, at).samples, status });
    if ((scrape * SCRAPE_MS) % UPLOAD_MS !== 0) continue;
    const last = lastId.get();
    chunksOf(sent + 1, last).forEach((ids, chunkIndex) => {
      acknowledgements.accept({ batchId: `batch-${scrape}`, chunkIndex, ranges: rangesOf(ids), count: ids.length, connection: 1 });
      acknowledgements.answered(1, false);
    });
    acknowledgements.commit();
    sent = last;
  }
  database.close();
  store.close();
  const samples = Number(options.samples);
  const result = { writtenPerSample: (writtenBytes() - before) / samples, filePerSample: statSync(path).size / samples };
  rmSync(folder, { recursive: true });
  return result;
}

const rows = [
  { flush: '0', reach: 330, ...measure(0) },
  { flush: '60s', reach: 150, ...measure(60_000) },
];
if (options.json) console.log(JSON.stringify({ samples: Number(options.samples), rows }));
else {
  console.log(`${options.samples} samples, ${SERIES} a scrape\n\n| FLUSH_INTERVAL | bytes written a sample | reach | bytes of file a sample | reach |\n|---|---|---|---|---|`);
  for (const { flush, reach, writtenPerSample, filePerSample } of rows) {
    console.log(`| ${flush} | ${writtenPerSample.toFixed(0)} | ≤ ${reach} | ${filePerSample.toFixed(1)} | ≤ 50 |`);
  }
}
process.exit(0);
