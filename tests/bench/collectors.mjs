/**
 * What each collector costs in a scrape of all of them, and how much those cost that were added to the first eight: CPU time
 * of this process, all threads. Each collector is measured in every scrape, so that what the machine does besides is shared.
 *
 *   node tests/bench/collectors.mjs [--rounds 300] [--pause 5] [--json]
 *   node --cpu-prof tests/bench/collectors.mjs
 *
 * Two kernels are read, as `collect` does: the simulated device of 8 cores, whose texts are only handed out, and the same with
 * real reads. Services and processes are collected, which they are not by default; the ratio of an hour leaves them out.
 */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures, spread } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '300' },
    pause: { type: 'string', default: '5' },
    json: { type: 'boolean', default: false },
  },
});
const rounds = Number(options.rounds);
/** Until the code is compiled and every sensor is found. */
const WARM_UP_ROUNDS = 100;
/** The collectors before the others were added. */
const FIRST = ['cpu', 'disk', 'filesystem', 'load', 'memory', 'network', 'pressure', 'temperature'];

await prepare();
const { COLLECTORS } = await import('../../collector/src/collectors/table.ts');
const { loadCollectorConfig } = await import('../../shared/src/config/collector-config.ts');
const { INTERVAL_MS, PreparedKernel, withRealReads } = await import('./parts/scraped-kernels.mjs');

const { values: config } = loadCollectorConfig({
  THUGSHELLS_SERVICES: 'encoder.service',
  THUGSHELLS_PROCESSES: 'encoder',
});
const byDefault = loadCollectorConfig({}).values.collectors;
const names = Object.keys(COLLECTORS);

/** Returns the microseconds of CPU of each collector, one object for each scrape. */
async function measure(kernel) {
  const collectors = names.map((name) => COLLECTORS[name].create({ kernel, options: config, build: 'bench' }));
  const scrapes = [];
  for (let round = 0; round < WARM_UP_ROUNDS + rounds; round++) {
    await kernel.advance();
    await sleep(Number(options.pause));
    const costs = {};
    // Another one is the first after the pause each time.
    for (const index of names.keys()) {
      const collector = collectors[(index + round) % names.length];
      const before = process.cpuUsage();
      await collector.collect({ monotonicMs: round * INTERVAL_MS }).catch((error) => {
        if (error.code !== 'KERNEL_FILE_ABSENT') throw error;
      });
      const { user, system } = process.cpuUsage(before);
      costs[collector.name] = user + system;
    }
    if (round >= WARM_UP_ROUNDS) scrapes.push(costs);
  }
  return scrapes;
}

const anHour = (name) => 3_600_000 / config[`${name}IntervalMs`];
const sumOf = (costs, chosen, weight = () => 1) => chosen.reduce((sum, name) => sum + costs[name] * weight(name), 0);
const toFigure = (name, unit, values, reach) => {
  const { median, ...quartiles } = spread(values);
  return { name, unit, value: median, ...quartiles, ...(reach === undefined ? {} : { reach }) };
};
const toRatios = (scrapes, title) => {
  const ratio = (chosen, weight) => scrapes.map((costs) => sumOf(costs, chosen, weight) / sumOf(costs, FIRST, weight));
  const defaults = names.filter((name) => byDefault.includes(name));
  return [
    toFigure(`${title}: a scrape of all, against the first eight`, '×', ratio(names), '1.5'),
    toFigure(`${title}: an hour at the default intervals`, '×', ratio(defaults, anHour)),
  ];
};
const toCosts = (scrapes, title) =>
  names.map((name) =>
    toFigure(
      `${title}: ${name}`,
      'µs',
      scrapes.map((costs) => costs[name]),
    ),
  );

const simulated = await measure(new PreparedKernel());
const priced = await measure(withRealReads(new PreparedKernel()));
const figures = [
  ...toRatios(simulated, 'simulated'),
  ...toRatios(priced, 'with real reads'),
  ...toCosts(simulated, 'simulated'),
  ...toCosts(priced, 'with real reads'),
];
printFigures(`CPU of each collector, ${rounds} scrapes of all, one after the other`, figures, options.json);
