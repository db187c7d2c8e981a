/**
 * Rows → gzipped lines, without a receiver: what the encoder's thread can give.
 *
 *   node tests/bench/encode.mjs [--samples 1000000] [--rounds 5] [--json]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, spread } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const samples = Number(options.samples);
/** As many as a chunk of 256 KiB holds; and the batch and the chunks of quiet times. */
const LARGE = { batchMetrics: 65_000, chunkMetrics: 65_000 };
const SMALL = { batchMetrics: 2_500, chunkMetrics: 50 };

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');
const { Encoder } = await import('../../uploader/src/encoding/encoder.ts');
const { RowReader } = await import('../../uploader/src/encoding/rows/row-reader.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');

const folder = mkdtempSync(join(tmpdir(), 'bench-encode-'));

function encodeAll(path, sizes) {
  const database = openDatabase(path, { readonly: true });
  const encoder = new Encoder(new RowReader(database));
  const startedAt = performance.now();
  let bytes = 0;
  for (let first = 1; first <= samples; first += sizes.batchMetrics) {
    const last = Math.min(samples, first + sizes.batchMetrics - 1);
    for (const { body } of encoder.encode({
      ranges: [[first, last]],
      format: 'json-lines',
      ...sizes,
      nowMs: Date.now(),
    }).chunks)
      bytes += body.length;
  }
  const seconds = (performance.now() - startedAt) / 1000;
  database.close();
  return { rate: samples / seconds, bytes: bytes / samples };
}

try {
  const figures = [];
  for (const series of [10_000, 100]) {
    const path = join(folder, `${series}.db`);
    fillDatabase(path, { samples, series });
    for (const [what, sizes] of Object.entries({ 'chunks of 65,000': LARGE, 'chunks of 50': SMALL })) {
      const runs = Array.from({ length: Number(options.rounds) }, () => encodeAll(path, sizes));
      const { median: value, from, to } = spread(runs.map(({ rate }) => rate));
      figures.push(
        { name: `${series} series, ${what}`, value, unit: 'samples/s', from, to },
        { name: `${series} series, ${what}: gzipped`, value: runs[0].bytes, unit: 'bytes a sample' },
      );
    }
  }
  printFigures(`encoding ${samples} samples, medians of ${options.rounds}`, figures, options.json);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
