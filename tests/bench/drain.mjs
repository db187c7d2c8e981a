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

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';
import { drainOurs } from './parts/drain-ours.mjs';
import { drainPeers } from './parts/drain-peers.mjs';
import { findWithVersion } from './parts/peers.mjs';

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
  : [
      { series: 10_000, probe: '1s' },
      { series: 10_000, probe: undefined },
      { series: 100, probe: '1s' },
    ];

const FIGURES = {
  visibleSeconds: { title: 'receiver up → all visible', unit: 's', digits: 2 },
  samplesPerSecond: { title: 'samples a second while it sends', unit: 'samples/s', digits: 0 },
  bytesPerSample: { title: 'wire bytes a sample', unit: 'bytes', digits: 2 },
  peakPssMB: { title: 'most PSS', unit: 'MB', digits: 0 },
  cpuSeconds: { title: 'CPU', unit: 's', digits: 2 },
  scrapeDelayMs: { title: 'delay of a scrape, p99', unit: 'ms', digits: 0 },
};
/** Of 1,000,000 samples: on two cores that the receiver shares. */
const REACH = {
  always: { bytesPerSample: '4 at most', peakPssMB: '150 at most', scrapeDelayMs: '50 at most' },
  10000: { samplesPerSecond: '700000 at least' },
  100: { samplesPerSecond: '1000000 at least' },
  '1s': { visibleSeconds: '4 at most' },
  default: { visibleSeconds: '8 at most' },
};

await prepare();
const { fillDatabase } = await import('../support/fill-database.ts');

const rows = [];
for (const { series, probe } of PLANS) {
  const runs = [];
  for (let run = 0; run < Number(options.runs); run++)
    runs.push(await drainOurs({ samples, series, probe, fillDatabase }));
  const delays = runs.flatMap(({ scrapeDelaysMs }) => scrapeDelaysMs);
  const median = (key) =>
    quantile(
      runs.map((run) => run[key]),
      0.5,
    );
  const figures = Object.fromEntries(
    Object.keys(FIGURES).map((key) => [key, key === 'scrapeDelayMs' ? quantile(delays, 0.99) : median(key)]),
  );
  const reach = samples === 1_000_000 ? { ...REACH.always, ...REACH[series], ...REACH[probe ?? 'default'] } : {};
  rows.push({ who: `thugshells, ${series} series, probe ${probe ?? 'by default'}`, figures, reach });
}
if (!options['no-peers']) {
  for (const [name, run] of Object.entries(await drainPeers({ samples, series: PEER_SERIES }))) {
    rows.push({ who: `${name}, ${PEER_SERIES} series`, figures: run, reach: {} });
  }
}

const title = `${samples} samples, medians of ${options.runs} runs (a peer: one), ${cpus().length} cores shared with the receiver, ${(await findWithVersion('victoria-metrics')).title}`;
const shown = ({ figures }) => Object.entries(FIGURES).filter(([key]) => Number.isFinite(figures[key]));
if (options.json) {
  const figures = rows.flatMap((row) =>
    shown(row).map(([key, figure]) => ({
      name: `${row.who}: ${figure.title}`,
      value: row.figures[key],
      unit: figure.unit,
      reach: row.reach[key],
    })),
  );
  printFigures(title, figures, true);
} else {
  console.log(
    `${title}\n\n| | ${Object.values(FIGURES)
      .map((figure) => `${figure.title}, ${figure.unit}`)
      .join(' | ')} |`,
  );
  console.log(`|---|${'---|'.repeat(Object.keys(FIGURES).length)}`);
  for (const { who, figures } of rows) {
    const cells = Object.entries(FIGURES).map(([key, { digits }]) =>
      Number.isFinite(figures[key]) ? figures[key].toFixed(digits) : '',
    );
    console.log(`| ${who} | ${cells.join(' | ')} |`);
  }
}
process.exit(0);
