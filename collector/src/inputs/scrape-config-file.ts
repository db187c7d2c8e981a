import type { CollectorConfig } from '@thugshells/shared/config/collector-config.ts';
import { parseScrapeConfig } from '@thugshells/shared/config/scrape-config/scrape-config.ts';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { readForeignFileSync } from '@thugshells/shared/database/foreign-files.ts';
import { AgentError, toErrorMessage } from '@thugshells/shared/errors.ts';

/**
 * Returns the scrape targets that the configuration names, those of the file included.
 *
 * @throws AgentError BAD_CONFIGURATION if the file cannot be used
 */
export async function readScrapeTargets(config: CollectorConfig): Promise<readonly ScrapeTarget[]> {
  const { collectors, scrapeTargets, scrapeConfig: path } = config;
  if (!collectors.includes('scrape')) return [];
  if (path === '') return scrapeTargets;
  const defaults = { intervalMs: config.scrapeIntervalMs, timeoutMs: config.scrapeTimeoutMs };
  return [...scrapeTargets, ...(await parseScrapeConfig(readFile(path), { path, defaults }))];
}

function readFile(path: string): string {
  try {
    return readForeignFileSync(path);
  } catch (error) {
    throw new AgentError(`cannot read THUGSHELLS_SCRAPE_CONFIG=${path}: ${toErrorMessage(error)}`, {
      code: 'BAD_CONFIGURATION',
      hint: `let the collector's user read ${path}, or correct THUGSHELLS_SCRAPE_CONFIG`,
      cause: error,
    });
  }
}
