/**
 * How fast rows become bodies, and how large those are, in each format: VictoriaMetrics' JSON lines, and both versions
 * of Prometheus remote write. The formats take turns in one process; the same rows, one chunk to a batch.
 *
 *   node tests/bench/body-formats.mjs [--rows 300000] [--series 500] [--chunk 60000] [--rounds 5] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '300000' },
    series: { type: 'string', default: '500' },
    chunk: { type: 'string', default: '60000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const rows = Number(options.rows);
const chunkMetrics = Number(options.chunk);

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { Encoder } = await import('../../uploader/src/encoding/encoder.ts');
const { RowReader } = await import('../../uploader/src/encoding/rows/row-reader.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');

const folder = mkdtempSync(join(tmpdir(), 'bench-body-formats-'));
const path = join(folder, 'metrics.db');
const formats = ['json-lines', 'remote-write-1', 'remote-write-2'];

/** Encodes all rows; tells how long that took and how large the bodies are. */
function encodeAll(encoder, format) {
  let bytes = 0;
  const startedAt = performance.now();
  for (let first = 1; first <= rows; first += chunkMetrics) {
    const { chunks } = encoder.encode({
      ranges: [[first, Math.min(rows, first + chunkMetrics - 1)]],
      format,
      batchMetrics: chunkMetrics,
      chunkMetrics,
      nowMs: Date.now(),
    });
    for (const { body } of chunks) bytes += body.length;
  }
  return { seconds: (performance.now() - startedAt) / 1000, bytes };
}

try {
  fillDatabase(path, { samples: rows, series: Number(options.series) });
  const database = openDatabase(path, { readonly: true });
  const reader = new RowReader(database);
  const encoders = new Map(formats.map((format) => [format, new Encoder(reader)]));
  const fastest = new Map(formats.map((format) => [format, { seconds: Infinity, bytes: 0 }]));
  for (let round = 0; round <= Number(options.rounds); round += 1) {
    for (const [format, encoder] of encoders) {
      const result = encodeAll(encoder, format);
      // The first round is for the compiler.
      if (round > 0 && result.seconds < fastest.get(format).seconds) fastest.set(format, result);
    }
  }
  database.close();
  const base = fastest.get(formats[0]).seconds;
  const figures = formats.map((format) => {
    const { seconds, bytes } = fastest.get(format);
    return {
      format,
      samplesPerSecond: Math.round(rows / seconds),
      ratio: Number((base / seconds).toFixed(2)),
      bytesPerSample: Number((bytes / rows).toFixed(2)),
    };
  });
  if (options.json) console.log(JSON.stringify(figures));
  else console.table(figures);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
