/**
 * How long a backlog takes from the receiver's return until every sample is to be seen in a real VictoriaMetrics, with
 * collector and uploader as they run on a board; beside them vmagent and Prometheus in agent mode, where installed.
 *
 *   node tests/bench/drain.mjs [--samples 1000000] [--series 10000] [--probe 1s] [--runs 3] [--no-peers] [--json]
 *
 * Without --series and --probe: 10,000 series with a probe each second, the same with the probe that is the default,
 * and 100 series.
 */
import { cpus } from 'node:os';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/prepare.mjs';
import { quantile } from '../support/figures.mjs';
import { drainOurs } from './parts/drain-ours.mjs';
import { drainPeers } from './parts/drain-peers.mjs';

const { values: options } = parseArgs({
  options: {
    samples: { type: 'string', default: '1000000' },
    series: { type: 'string' },
    probe: { type: 'string' },
    runs: { type: 'string', default: '3' },
    'no-peers': { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const samples = Number(options.samples);
const PEER_SERIES = 10_000;
const chosen = options.series !== undefined || options.probe !== undefined;
const PLANS = chosen
  ? [{ series: Number(options.series ?? 10_000), probe: options.probe }]
  : [{ series: 10_000, probe: '1s' }, { series: 10_000, probe: undefined }, { series: 100, probe: '1s' }];

const FIGURES = {
  visibleSeconds: ['receiver up → all visible, s', 2],
  samplesPerSecond: ['samples a second while it sends', 0],
  bytesPerSample: ['wire bytes a sample', 2],
  peakPssMB: ['most PSS, MB', 0],
  cpuSeconds: ['CPU, s', 2],
  scrapeDelayMs: ['delay of a scrape, p99, ms', 0],
};

prepare();
const { fillDatabase } = await import('../support/fill-database.mjs');

const rows = [];
for (const { series, probe } of PLANS) {
  const runs = [];
  for (let run = 0; run < Number(options.runs); run++) runs.push(await drainOurs({ samples, series, probe, fillDatabase }));
  const delays = runs.flatMap(({ scrapeDelaysMs }) => scrapeDelaysMs);
  const median = (key) => quantile(runs.map((run) => run[key]), 0.5);
  const figures = Object.fromEntries(Object.keys(FIGURES).map((key) => [key, key === 'scrapeDelayMs' ? quantile(delays, 0.99) : median(key)]));
  rows.push({ who: `thugshells, ${series} series, probe ${probe ?? 'by default'}`, figures, runs });
}
if (!options['no-peers']) {
  for (const [name, run] of Object.entries(await drainPeers({ samples, series: PEER_SERIES }))) {
    rows.push({ who: `${name}, ${PEER_SERIES} series`, figures: run, runs: [run] });
  }
}

if (options.json) console.log(JSON.stringify({ options, rows }));
else {
  console.log(`${samples} samples, medians of ${options.runs} runs (a peer: one), ${cpus().length} cores shared with the receiver\n`);
  console.log(`| | ${Object.values(FIGURES).map(([title]) => title).join(' | ')} |`);
  console.log(`|---|${'---|'.repeat(Object.keys(FIGURES).length)}`);
  for (const { who, figures } of rows) {
    const cells = Object.entries(FIGURES).map(([key, [, digits]]) => (Number.isFinite(figures[key]) ? figures[key].toFixed(digits) : ''));
    console.log(`| ${who} | ${cells.join(' | ')} |`);
  }
}
process.exit(0);
