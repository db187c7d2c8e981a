import { afterEach, expect, test } from '@jest/globals';

import { OPEN_METRICS } from '../support/changing-exporter.ts';
import { TwoScrapers, type ExporterPage, type LastSamples } from '../support/two-scrapers.ts';

/** What the agent and the real Prometheus report of scrapes that fail. */

const scrapers = new TwoScrapers();
afterEach(() => scrapers.stop());

const FIGURES = [
  'up',
  'scrape_samples_scraped',
  'scrape_samples_post_metric_relabeling',
  'scrape_series_added',
] as const;

function toFigures(last: LastSamples): Record<string, number | undefined> {
  return Object.fromEntries(FIGURES.map((name) => [name, last.get(name)?.value]));
}

const pages: [what: string, page: ExporterPage, figures: number[]][] = [
  ['a page within the limit', { body: 'a 1\nb 2\nnoise_c 3\n' }, [1, 3, 2, 0]],
  ['a page over sample_limit', { body: 'a 1\nb 2\nnoise_c 3\nd 4\ne 5\n' }, [0, 5, 4, 0]],
  ['a page that is malformed at its end', { body: 'a 1\nnoise_b 2\nc\n' }, [0, 2, 1, 0]],
  ['OpenMetrics without an end', { body: 'a 1\nb 2\n', contentType: OPEN_METRICS }, [0, 2, 2, 0]],
  ['a page that is none', { body: '<html>\n' }, [0, 0, 0, 0]],
  ['a page within the limit again', { body: 'a 1\n' }, [1, 1, 1, 0]],
];

test('scrape figures: of scrapes that fail are those of Prometheus', async () => {
  await scrapers.start({
    sample_limit: 3,
    metric_relabel_configs: [{ source_labels: ['__name__'], action: 'drop', regex: 'noise_.*' }],
  });
  for (const [what, page, figures] of pages) {
    const { ours, theirs } = await scrapers.serve(page);
    expect([what, toFigures(theirs)]).toEqual([what, Object.fromEntries(FIGURES.map((name, i) => [name, figures[i]]))]);
    expect([what, toFigures(ours)]).toEqual([what, toFigures(theirs)]);
  }
}, 240_000);
