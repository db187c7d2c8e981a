/**
 * What one scrape of all collectors together costs in CPU time: this process's, all threads, median and 95th percentile.
 *
 *   node tests/bench/collect.mjs [--rounds 400] [--pause 20] [--json]
 *
 * Three kernels are read:
 *   simulated         8 cores, 4 disks, 6 interfaces, 10 zones; its texts are made before each scrape, and not counted
 *   with real reads   the same, and for each of its files one of this machine's /proc or /sys is read besides
 *   this machine      its own /proc and /sys
 * The pause between two scrapes is slept, so that a scrape finds the processor as a rare one does: caches have cooled.
 */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, quantile } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '400' },
    pause: { type: 'string', default: '20' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
/** Until the code is compiled and every sensor is found. */
const WARM_UP_ROUNDS = 100;

await prepare();
const { COLLECTORS } = await import('../../collector/src/collectors/table.ts');
const { loadCollectorConfig } = await import('../../shared/src/config/collector-config.ts');
const { SeriesLimit } = await import('../../collector/src/scheduling/series-limit.ts');
const { DEVICE_SIZE, INTERVAL_MS, PreparedKernel, thisMachine, withRealReads } =
  await import('./parts/scraped-kernels.mjs');

/** Units are collected too, which are off by default, and no processes. This machine may have neither such units nor systemd. */
const WITH_SERVICES = { THUGSHELLS_SERVICES: 'encoder.service ssh.service' };

async function measure(kernel, variables) {
  const { values: config } = loadCollectorConfig(variables);
  const collectors = config.collectors
    .filter((name) => name in COLLECTORS)
    .map((name) => COLLECTORS[name].create({ kernel, options: config, build: 'bench' }));
  const limit = new SeriesLimit({ perCollector: config.collectorMaxSeries, total: config.maxSeries });
  const cpuMs = [];
  const wallMs = [];
  let samples = 0;
  for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
    await kernel.advance();
    if (round >= WARM_UP_ROUNDS) await sleep(Number(options.pause));
    const startedAt = performance.now();
    const before = process.cpuUsage();
    samples = 0;
    for (const collector of collectors) {
      const monotonicMs = round * INTERVAL_MS;
      const readings = await collector.collect({ monotonicMs }).catch((error) => {
        if (error.code === 'KERNEL_FILE_ABSENT') return [];
        throw error;
      });
      samples += limit.admit(collector.name, readings, monotonicMs).readings.length;
    }
    const { user, system } = process.cpuUsage(before);
    if (round < WARM_UP_ROUNDS) continue;
    cpuMs.push((user + system) / 1000);
    wallMs.push(performance.now() - startedAt);
  }
  return { samples, cpuMs: spread(cpuMs), wallMs: spread(wallMs) };
}

function spread(values) {
  return { p5: quantile(values, 0.05), median: quantile(values, 0.5), p95: quantile(values, 0.95) };
}

const results = {
  simulated: await measure(new PreparedKernel(), WITH_SERVICES),
  'simulated, with real reads': await measure(withRealReads(new PreparedKernel()), WITH_SERVICES),
  'this machine': await measure(thisMachine(), {}),
};
const title = `all collectors once, ${DEVICE_SIZE.cores} cores, ${DEVICE_SIZE.disks} disks, ${DEVICE_SIZE.interfaces} interfaces, ${DEVICE_SIZE.zones} zones`;
const figures = Object.entries(results).map(([name, { samples, cpuMs }]) => ({
  name: `${name}, ${samples} samples`,
  value: cpuMs.median,
  unit: 'ms of CPU',
  from: cpuMs.p5,
  to: cpuMs.p95,
}));
if (options.json) printFigures(title, figures, true);
else {
  console.log(`${title}; ${rounds} scrapes, ${options.pause} ms apart:\n`);
  console.log(
    '| kernel | samples | CPU ms: median | 5 % | 95 % | ms from begin to end, median |\n|---|---|---|---|---|---|',
  );
  for (const [name, { samples, cpuMs, wallMs }] of Object.entries(results)) {
    console.log(
      `| ${name} | ${samples} | ${[cpuMs.median, cpuMs.p5, cpuMs.p95, wallMs.median].map((value) => value.toFixed(2)).join(' | ')} |`,
    );
  }
}
