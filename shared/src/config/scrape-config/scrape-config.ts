/**
 * Reads the file that THUGSHELLS_SCRAPE_CONFIG names: the part of Prometheus' configuration that names targets
 * (https://prometheus.io/docs/prometheus/latest/configuration/configuration/#scrape_config). What is not supported is refused by
 * its name and line: a file that is read without a part of it would collect something else than it seems to.
 */
import { dirname } from 'node:path';

import { AgentError } from '../../errors.ts';
import type { ScrapeTarget } from '../scrape-target-list.ts';
import { readJob, readTimes, type TargetDefaults } from './job-config.ts';
import { parseYaml } from './yaml-document.ts';
import { ConfigProblems, YamlFields } from './yaml-fields.ts';

/** Each target has a loop of its own. */
const MAX_TARGETS = 100;
const OUTSIDE = 'remove it: this file names scrape targets only';
const REMEDIES: Readonly<Record<string, string>> = {
  rule_files: 'remove it: rules are for the receiver',
  alerting: 'remove it: alerts are for the receiver',
  remote_write: 'remove it, and set THUGSHELLS_REMOTE_URL',
  remote_read: OUTSIDE,
  storage: OUTSIDE,
  tracing: OUTSIDE,
  otlp: OUTSIDE,
  runtime: OUTSIDE,
  scrape_config_files: 'write the jobs into scrape_configs',
};
const GLOBAL_REMEDIES: Readonly<Record<string, string>> = {
  external_labels: 'remove it, and set THUGSHELLS_LABELS',
  evaluation_interval: 'remove it: rules are for the receiver',
};

/**
 * Parses the file.
 *
 * @param path of the file, for problems and relative paths in it
 * @param defaults from SCRAPE_INTERVAL and SCRAPE_TIMEOUT
 * @throws AgentError BAD_CONFIGURATION that names every problem with its line
 */
export async function parseScrapeConfig(
  text: string,
  { path, defaults }: { readonly path: string; readonly defaults: TargetDefaults },
): Promise<readonly ScrapeTarget[]> {
  const problems = new ConfigProblems(path);
  const root = await parseYaml(text, (line, sentence) => problems.add(line, sentence));
  const targets = root === undefined ? [] : await readTargets(new YamlFields(root, '', problems), path, defaults);
  if (problems.sentences.length === 0) return targets;
  throw new AgentError(
    `cannot use THUGSHELLS_SCRAPE_CONFIG:\n${problems.sentences.map((sentence) => `  ${sentence}`).join('\n')}`,
    { code: 'BAD_CONFIGURATION', hint: `correct ${path}, and run: thugshells-collector check-config` },
  );
}

async function readTargets(file: YamlFields, path: string, defaults: TargetDefaults): Promise<ScrapeTarget[]> {
  const global = file.readFields('global');
  const common = global === undefined ? defaults : readTimes(global, defaults);
  global?.refuseOthers(GLOBAL_REMEDIES);
  const jobs = file.readFieldsList('scrape_configs');
  file.refuseOthers(REMEDIES);
  const targets: ScrapeTarget[] = [];
  const names = new Set<string>();
  for (const job of jobs) {
    for (const target of await readJob(job, dirname(path), common)) {
      if (names.has(target.name)) job.refuse('static_configs', `${target.name} is there twice: remove one`);
      names.add(target.name);
      targets.push(target);
    }
  }
  if (targets.length > MAX_TARGETS) file.refuse('scrape_configs', `more than ${MAX_TARGETS} targets: remove some`);
  return targets;
}
