/**
 * How many bytes the two programs write to the disk for each sample, and how many it takes there: both programs' modules
 * in one process, hours in a minute by a driven clock, on a real disk. Each scrape is 60 samples every 10 seconds; the
 * uploads of 30 seconds are acknowledged in chunks of 50; WAL checkpoints, syncs and final acknowledgements are included.
 *
 *   node tests/bench/flash.mjs [--hours 6] [--series 60] [--folder var] [--json]
 *
 * The kernel counts what is written when a page of its cache becomes dirty (/proc/self/io, write_bytes). The store syncs
 * twice in a minute of its own time, so that a page is counted as often as in slow hours.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';
import { printFigures } from '../support/figures.ts';
import { DrivenClock } from '../support/model/driven-clock.mjs';

const { values: options } = parseArgs({
  options: {
    hours: { type: 'string', default: '6' },
    series: { type: 'string', default: '60' },
    folder: { type: 'string', default: join(root, 'var') },
    json: { type: 'boolean', default: false },
  },
});
const SCRAPE_MS = 10_000;
const UPLOAD_MS = 30_000;
const START_MS = 1_700_000_000_000;
/** linux/magic.h */
const TMPFS_MAGIC = 0x01021994;
const REACH = { 0: '330 at most', 60_000: '150 at most' };

await prepare();
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { CommitBatcher } = await import('../../collector/src/scheduling/commit-batcher.ts');
const { Journal } = await import('../../shared/src/logging/journal.ts');
const { createCounters } = await import('../../shared/src/state/collector-status.ts');
const { divideSpace } = await import('../../collector/src/store/space/limits.ts');
const { Store } = await import('../../collector/src/store/store.ts');
const { Acknowledgements } = await import('../../uploader/src/queue/acknowledgements.ts');
const { Backlog } = await import('../../uploader/src/queue/backlog.ts');
const { ChunkSize } = await import('../../uploader/src/delivery/chunk-size.ts');
const { BatchSender } = await import('../../uploader/src/delivery/batch-sender.ts');
const { BatchEncoder } = await import('../../uploader/src/encoding/batch-encoder.ts');
const { ReceiverState } = await import('../../uploader/src/delivery/receiver-state.ts');
const { SettledRanges } = await import('../../uploader/src/queue/settled-ranges.ts');
const { BatchPrefetcher } = await import('../../uploader/src/delivery/batch-prefetcher.ts');

const logger = { error: console.error, warn: console.error, info() {}, debug() {}, child: () => logger };
const built = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

mkdirSync(options.folder, { recursive: true });
if (statfsSync(options.folder).type === TMPFS_MAGIC)
  throw new Error(`${resolve(options.folder)} is in memory: give a folder of a disk with --folder`);
const folder = mkdtempSync(join(options.folder, 'bench-flash-'));

/** Bytes that this process has had written, and has not taken back before they were. */
function writtenBytes() {
  const io = readFileSync('/proc/self/io', 'utf8');
  const field = (name) => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(io)[1]);
  return field('write_bytes') - field('cancelled_write_bytes');
}

function openCollector(dbPath, clock, flushIntervalMs) {
  const store = new Store({
    ...{ clock, logger, dbPath, flushIntervalMs },
    journal: new Journal(clock),
    limits: divideSpace({ dbMaxBytes: 512 * 1024 ** 2, walCheckpointBytes: 64 * 1024 ** 2 }),
    session: {
      id: 'bench',
      startedAtMs: clock.now(),
      metadata: { version: '1', bootId: 'boot', kernel: '6.1', host: 'bench' },
    },
    builtAtMs: START_MS - 1,
    syncIntervalMs: 30_000,
    walCheckpointIntervalMs: 3_600_000,
    retentionMs: 72 * 3_600_000,
    deviceId: 'bench',
    labels: {},
    collectors: ['test'],
    readWrittenBytes: writtenBytes,
    checkWorkerFile: built('collector/src/store/recovery/integrity-worker.ts'),
  });
  store.open();
  const batcher = new CommitBatcher({ clock, store, flushIntervalMs });
  let turn = 0;
  return {
    store,
    batcher,
    scrape() {
      turn += 1;
      const at = { wallMs: clock.now(), monotonicMs: clock.monotonic(), sinceBootMs: clock.sinceBoot() };
      const readings = Array.from({ length: Number(options.series) }, (_, index) => ({
        series: { name: 'a.x', kind: 'gauge', unit: 'none', help: '', priority: 1 },
        labels: { i: String(index) },
        value:
          index % 2 === 0
            ? turn * 1500 + ((index * 7919 + turn * 104729) % 997)
            : ((index * 31 + turn * 17) % 1000) / 10,
      }));
      const status = {
        collector: 'test',
        status: 'ok',
        message: '',
        sinceMs: START_MS,
        intervalMs: SCRAPE_MS,
        lastScrapeMs: at.wallMs,
        durationMs: 1,
        ...createCounters(),
      };
      batcher.add({ at, samples: store.admit(readings, at).samples, status });
    },
  };
}

function openUploader(dbPath, clock) {
  const database = openDatabase(dbPath);
  const settled = new SettledRanges(database);
  const backlog = new Backlog(database, settled);
  const acknowledgements = new Acknowledgements(database, settled, { clock, replayWindowMs: 15_000 });
  const encoder = new BatchEncoder({
    database,
    receiverNow: () => clock.now(),
    databasePath: dbPath,
    workerFile: built('uploader/src/encoding/encode-worker.ts'),
  });
  const chunkSize = new ChunkSize({
    batchMetrics: 2_500,
    chunkMetrics: 50,
    chunkGrowth: true,
    chunkMaxBytes: 262_144,
    uploadIntervalMs: UPLOAD_MS,
  });
  const send = async ({ body }) => ({
    outcome: { kind: 'delivered' },
    endpoint: '',
    status: 204,
    bytesSent: body.length,
    bytesReceived: 0,
    durationMs: 1,
    connection: 1,
    isClosing: false,
  });
  const transport = { format: 'json-lines', send, refusedSamples: () => 0 };
  const tooOld = {
    refresh: async () => false,
    acceptedSinceMs: () => -Infinity,
    listHeld: () => [],
    take: (refused) => refused,
  };
  const delivery = new BatchSender({
    clock,
    logger,
    acknowledgements,
    chunkSize,
    encoder,
    transport,
    receiver: new ReceiverState(clock, logger),
    receiverClock: { learnFrom: () => undefined },
    tooOld,
  });
  const { signal } = new AbortController();
  return {
    async cycle() {
      const upcoming = new BatchPrefetcher({ backlog, acknowledgements, encoder, chunkSize, transport, tooOld }, 0);
      for (let batch = await upcoming.next(); batch !== undefined; batch = await upcoming.next())
        await delivery.send(batch, signal, signal);
      delivery.commit();
    },
    async close() {
      await encoder.close();
      database.close();
    },
  };
}

async function run(flushIntervalMs) {
  const dbPath = join(folder, `flush-${flushIntervalMs}.db`);
  const clock = new DrivenClock(START_MS, 0);
  const { store, batcher, scrape } = openCollector(dbPath, clock, flushIntervalMs);
  const uploader = openUploader(dbPath, clock);
  const stop = new AbortController();
  const running = store.run(stop.signal);
  // The ballast and the tables are written once in a database's life.
  await clock.advance(2_000);
  const before = writtenBytes();
  let byUploader = 0;
  const turns = (Number(options.hours) * 3_600_000) / SCRAPE_MS;
  for (let turn = 1; turn <= turns; turn++) {
    await clock.advance(SCRAPE_MS);
    scrape();
    if (turn % (UPLOAD_MS / SCRAPE_MS) !== 0) continue;
    const uploadFrom = writtenBytes();
    await uploader.cycle();
    byUploader += writtenBytes() - uploadFrom;
  }
  stop.abort();
  await running;
  await uploader.close();
  batcher.close();
  store.close();
  const written = writtenBytes() - before;
  const database = openDatabase(dbPath, { readonly: true });
  const stored = database.prepare('SELECT COUNT(*) FROM samples').pluck().get();
  const delivered = database.prepare('SELECT delivered FROM uploader_state').pluck().get();
  const used = database.pragma('page_count', { simple: true }) - database.pragma('freelist_count', { simple: true });
  const bytes = used * database.pragma('page_size', { simple: true });
  database.close();
  return { written, byUploader, stored, delivered, bytes };
}

try {
  const figures = [];
  for (const flushIntervalMs of [0, 60_000]) {
    const { written, byUploader, stored, delivered, bytes } = await run(flushIntervalMs);
    const which = `FLUSH_INTERVAL ${flushIntervalMs / 1000}s`;
    figures.push({
      name: `${which}: bytes written per sample`,
      value: written / stored,
      unit: 'bytes',
      reach: REACH[flushIntervalMs],
    });
    figures.push({ name: `${which}: of them by acknowledgements`, value: byUploader / stored, unit: 'bytes' });
    figures.push({
      name: `${which}: bytes of the file per stored sample`,
      value: bytes / stored,
      unit: 'bytes',
      reach: '50 at most',
    });
    figures.push(
      { name: `${which}: samples stored`, value: stored, unit: '' },
      { name: `${which}: samples delivered`, value: delivered, unit: '' },
    );
  }
  printFigures(`${options.hours} hours of ${options.series} samples every ten seconds`, figures, options.json);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
