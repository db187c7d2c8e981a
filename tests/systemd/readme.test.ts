import { copyFileSync, mkdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { expressionsOfDashboards } from '../support/dashboards.ts';
import type { Expression } from '../support/promql.ts';
import { until } from '../support/until.ts';
import { Container } from './container.ts';

/** The README's lines for a Debian of one's own, followed there with a VictoriaMetrics that docs/install.md brings. */

const CLONE = 'root/clone';
/** An address of documentation (RFC 5737); the reader's own receiver stands there. */
const RECEIVER_OF_README = '192.0.2.10';
const { THUGSHELLS_PACKAGE: built = '' } = process.env;

let container: Container;

beforeAll(async () => {
  container = await Container.boot();
  // Root needs no sudo, and the tree has none.
  container.write('usr/bin/sudo', '#!/bin/sh\nexec "$@"\n');
  container.output('chmod +x /usr/bin/sudo');
  // Whoever reads along says yes.
  container.write('etc/apt/apt.conf.d/90yes', 'APT::Get::Assume-Yes "true";\n');
});

afterAll(async () => {
  await container?.remove();
});

/** The lines of the first block of shell in a section of a document. */
function linesOf(file: string, section: string): string[] {
  const [, text = ''] = readFileSync(join(import.meta.dirname, '../..', file), 'utf8').split(`\n## ${section}\n`);
  const [, block = ''] = /^```\n([\s\S]*?)^```/m.exec(text) ?? [];
  return block.trim().split('\n');
}

/** How many series of the receiver in the container answer a query. */
function answers(expression: string): number {
  const query = new URLSearchParams({ query: expression }).toString();
  const body = JSON.parse(container.page(`http://127.0.0.1:8428/api/v1/query?${query}`)) as {
    data: { result: unknown[] };
  };
  return body.data.result.length;
}

/**
 * Of hardware that the container does not show, of its interfaces (it has loopback alone), of units and processes, of which none is
 * named, of components that are not ok, and of what takes longer than a test.
 */
const NOT_HERE =
  /cpu_temperature|cpu_frequency|cpu_throttled|disk_life_time|disk_pre_eol|disk_info|disk_io_errors|filesystem_errors|power_|processes_|system_processes\{|system_threads|network_(?:[rt]x|up|default_route|carrier|wireless)|service_|storage_wal_checkpoint_duration|component_status/;

/** Follows a line of a document in the clone, as its reader would. */
function follow(line: string): string {
  const quoted = line.replaceAll("'", `'"'"'`);
  return container.output(`cd /${CLONE} && export DEBIAN_FRONTEND=noninteractive && timeout 120 sh -c '${quoted}'`);
}

describe('who follows the README alone', () => {
  test('installs the package, and has both units running and content', () => {
    const [build, ...lines] = linesOf('README.md', 'Install');
    expect(build).toBe('npm run package:deb');
    expect(lines.filter((line) => line.includes(RECEIVER_OF_README))).toHaveLength(1);
    // Built before, on the machine that has the clone.
    mkdirSync(join(container.folder, CLONE, 'var'), { recursive: true });
    copyFileSync(built, join(container.folder, CLONE, 'var', basename(built)));
    for (const line of linesOf('docs/install.md', 'A receiver to try with')) follow(line);
    const outputs = lines.map((line) => follow(line.replace(RECEIVER_OF_README, '127.0.0.1')));
    expect(outputs.at(-1)).toContain('✓ write');
    for (const program of ['collector', 'uploader']) {
      expect(['ActiveState', 'NRestarts'].map((name) => container.property(`thugshells-${program}`, name))).toEqual([
        'active',
        '0',
      ]);
    }
    expect(
      container.output('tr "\\0" " " < /proc/$(systemctl show -p MainPID --value victoria-metrics)/cmdline'),
    ).toContain('-dedup.minScrapeInterval=1ms -retentionPeriod=12');
  }, 300_000);

  test('has answers to every query of the dashboards', async () => {
    const waiting = (): Expression[] => expressionsOfDashboards().filter(({ text }) => answers(text) === 0);
    const isOfThisHardware = ({ text }: Expression): boolean => NOT_HERE.test(text);
    await until('all are answered', () => waiting().every(isOfThisHardware), 240_000).catch(() => undefined);
    expect(
      waiting()
        .filter((expression) => !isOfThisHardware(expression))
        .map(({ where, text }) => `${where}: ${text}`),
    ).toEqual([]);
  }, 300_000);
});
