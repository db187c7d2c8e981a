/**
 * Bytes on the wire that a sample costs, by the samples in a chunk: the real encoder and the real transport, measured at
 * the socket, headers included. Writes docs/chunk-sizing.svg.
 *
 *   npm run bench -- chunk-sizing [--series 180] [--json]
 */
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';

const { values: options } = parseArgs({
  options: { series: { type: 'string', default: '180' }, json: { type: 'boolean', default: false } },
});

await prepare();
const { Credentials } = await import('../../uploader/src/transport/credentials.ts');
const { Encoder } = await import('../../uploader/src/encoding/encoder.ts');
const { openDatabase } = await import('../../shared/src/database/open.ts');
const { RowReader } = await import('../../uploader/src/encoding/rows/row-reader.ts');
const { HttpTransport } = await import('../../uploader/src/transport/http-transport.ts');
const { VictoriaMetricsProtocol } = await import('../../uploader/src/transport/victoriametrics.ts');
const { fillDatabase } = await import('../support/fill-database.ts');
const { systemClock } = await import('../../shared/src/clock.ts');

const SIZES = [1, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000];
/** What is read and sorted at once while chunks are small. */
const BATCH = 2_500;
const LARGEST = SIZES.at(-1);

const folder = mkdtempSync(join(tmpdir(), 'chunk-sizing-'));
const databasePath = join(folder, 'metrics.db');
fillDatabase(databasePath, { samples: LARGEST, series: Number(options.series) });
const server = createServer((request, response) =>
  request.resume().on('end', () => response.writeHead(204).end()),
).listen(0, '127.0.0.1');
await once(server, 'listening');
const remote = new HttpTransport({
  protocol: new VictoriaMetricsProtocol(),
  clock: systemClock,
  remoteUrl: `http://127.0.0.1:${server.address().port}/api/v1/import`,
  remoteTimeoutMs: 10_000,
  credentials: new Credentials({
    remoteTokenFile: '',
    remoteCaFile: '',
    remoteCertFile: '',
    remoteKeyFile: '',
    credentialsDirectory: undefined,
  }),
  proxyFor: () => '',
});

/** One batch in chunks of a size, posted one after the other. */
async function measure(chunkMetrics) {
  const database = openDatabase(databasePath, { readonly: true });
  const encoder = new Encoder(new RowReader(database));
  const { chunks } = encoder.encode({
    ranges: [[1, LARGEST]],
    batchMetrics: Math.max(BATCH, chunkMetrics),
    format: 'json-lines',
    chunkMetrics,
    nowMs: Date.now(),
  });
  database.close();
  const samples = chunks.reduce((sum, { count }) => sum + count, 0);
  const body = chunks.reduce((sum, chunk) => sum + chunk.body.length, 0);
  let sent = 0;
  for (const chunk of chunks) {
    const { outcome, bytesSent } = await remote.send(chunk, new AbortController().signal);
    if (outcome.kind !== 'delivered')
      throw new Error(`a chunk of ${chunkMetrics} was not taken: ${JSON.stringify(outcome)}`);
    sent += bytesSent;
  }
  return {
    chunkMetrics,
    chunkKiB: body / chunks.length / 1024,
    bodyBytes: body / samples,
    headerBytes: (sent - body) / samples,
    bytes: sent / samples,
  };
}

const WIDTH = 720;
const HEIGHT = 300;
const MARGIN = { left: 48, right: 20, top: 36, bottom: 44 };
const TOP_BYTES = 32;

/** Both curves, samples in a chunk on a logarithmic scale. */
function plot(rows) {
  const x = (samples) =>
    MARGIN.left + (Math.log10(samples) / Math.log10(LARGEST)) * (WIDTH - MARGIN.left - MARGIN.right);
  const y = (bytes) =>
    HEIGHT - MARGIN.bottom - (Math.min(bytes, TOP_BYTES) / TOP_BYTES) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const curve = (key, colour) => {
    const points = rows
      .filter((row) => row[key] <= TOP_BYTES)
      .map((row) => `${x(row.chunkMetrics).toFixed(1)},${y(row[key]).toFixed(1)}`);
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="2"/>`;
  };
  const across = [0, 8, 16, 24, 32].map(
    (bytes) =>
      `<line x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${y(bytes)}" y2="${y(bytes)}" stroke="#ddd"/><text x="${MARGIN.left - 6}" y="${y(bytes) + 4}" text-anchor="end">${bytes}</text>`,
  );
  const along = [1, 10, 50, 100, 1_000, 10_000, 100_000].map(
    (samples) =>
      `<text x="${x(samples).toFixed(1)}" y="${HEIGHT - MARGIN.bottom + 16}" text-anchor="middle">${samples.toLocaleString('en')}</text>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12" fill="#333">`,
    `<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>`,
    `<text x="${MARGIN.left}" y="18" font-size="13">Bytes on the wire per sample, by samples in a chunk</text>`,
    ...across,
    ...along,
    curve('bytes', '#a5563b'),
    curve('bodyBytes', '#3b6ea5'),
    `<text x="${WIDTH - MARGIN.right}" y="${MARGIN.top + 14}" text-anchor="end" fill="#a5563b">with headers</text>`,
    `<text x="${WIDTH - MARGIN.right}" y="${MARGIN.top + 30}" text-anchor="end" fill="#3b6ea5">gzipped body</text>`,
    `<text x="${(WIDTH + MARGIN.left) / 2}" y="${HEIGHT - 8}" text-anchor="middle">samples in a chunk</text>`,
    '</svg>',
    '',
  ].join('\n');
}

const rows = [];
for (const size of SIZES) rows.push(await measure(size));
writeFileSync(join(root, 'docs', 'chunk-sizing.svg'), plot(rows));
if (options.json) console.log(JSON.stringify({ options, rows }));
else {
  console.log(
    '| samples in a chunk | body, KiB | body bytes a sample | header bytes a sample | bytes a sample |\n|---|---|---|---|---|',
  );
  for (const row of rows)
    console.log(
      `| ${row.chunkMetrics.toLocaleString('en')} | ${row.chunkKiB.toFixed(1)} | ${row.bodyBytes.toFixed(1)} | ${row.headerBytes.toFixed(1)} | ${row.bytes.toFixed(1)} |`,
    );
}
remote.close();
server.close();
rmSync(folder, { recursive: true });
