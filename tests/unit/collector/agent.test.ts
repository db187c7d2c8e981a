import { expect, test } from '@jest/globals';

import { createCollectors, createKernel, createSeriesLimit, findLabels } from '../../../collector/src/agent.ts';
import { loadCollectorConfig } from '../../../shared/src/config/collector-config.ts';
import { ScrapeClient } from '../../../collector/src/inputs/scrape-client.ts';
import { reading } from '../../support/collector/collector-parts.ts';

function load(given: Record<string, string>) {
  const environment = Object.fromEntries(Object.entries(given).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
  return loadCollectorConfig({ ...environment, THUGSHELLS_KERNEL: 'simulated' }).values;
}

const TARGETS = 'node=http://127.0.0.1:9100/metrics app=http://127.0.0.1:8080/metrics';

test('agent: creates the collectors that COLLECTORS names, a target each by itself, with their intervals', () => {
  const config = load({
    COLLECTORS: 'memory cpu textfile scrape self',
    CPU_INTERVAL: '2s',
    TEXTFILE_DIR: '/tmp',
    SCRAPE_TARGETS: TARGETS,
    SCRAPE_INTERVAL: '7s',
  });
  const collectors = createCollectors(config, {
    kernel: createKernel(config),
    client: new ScrapeClient(),
    targets: config.scrapeTargets,
  });
  expect(collectors.map(({ collector, intervalMs }) => [collector.name, intervalMs])).toEqual([
    ['memory', 30_000],
    ['cpu', 2_000],
    ['textfile', 30_000],
    ['scrape:node', 7_000],
    ['scrape:app', 7_000],
  ]);
});

test('agent: limits the series of a scrape target by SCRAPE_MAX_SERIES, those of others by COLLECTOR_MAX_SERIES', () => {
  const config = load({ SCRAPE_TARGETS: TARGETS, SCRAPE_MAX_SERIES: '1', COLLECTOR_MAX_SERIES: '2' });
  const limit = createSeriesLimit(config, config.scrapeTargets);
  const three = ['a', 'b', 'c'].map((name) => reading(`${name}.x`, 1));
  expect(['scrape:node', 'textfile'].map((name) => limit.admit(name, three, 0).refusals.length)).toEqual([2, 1]);
});

test('agent: labels every sample of a simulated kernel, and no other', () => {
  const config = load({});
  expect([findLabels(config), findLabels({ ...config, kernel: 'linux' })]).toEqual([{ simulated: 'true' }, {}]);
});
