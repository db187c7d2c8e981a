import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { HEALTH_REASONS } from '../../../uploader/src/health/component-health.ts';
import { alertRules, rulesFile } from '../../support/alert-rules.ts';
import { readDashboards } from '../../support/dashboards.ts';
import { findAnchors } from '../../support/document-anchors.ts';
import { useTemporaryFolder } from '../../support/temporary-folder.ts';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const BASE = 'https://github.com/taniwha3/thugshells/blob/main/';
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const health = read('docs/health-monitoring.md');
const alerts = alertRules();
const names = alerts.map(({ alert }) => alert);
const folder = useTemporaryFolder();

/** Returns the section of a document below a heading. */
function findSection(text: string, heading: string): string {
  const [, section = ''] = text.split(`\n${heading}\n`);
  return section.split(/^#+ /m)[0]!;
}

describe('alerts:', () => {
  test.each(alerts)('$alert has a summary, a description, a runbook and a dashboard', ({ annotations }) => {
    expect(Object.keys(annotations)).toEqual(['summary', 'description', 'runbook_url', 'dashboard']);
  });

  test.each(alerts)('the runbook of $alert is a section of its own in a document of the repository', (rule) => {
    const url = rule.annotations['runbook_url']!;
    expect(url.slice(0, BASE.length)).toBe(BASE);
    const [file = '', anchor] = url.slice(BASE.length).split('#');
    expect(anchor).toBe(rule.alert.toLowerCase());
    expect(existsSync(join(root, file)) && statSync(join(root, file)).isFile()).toBe(true);
    expect(findAnchors(read(file)).filter((name) => name === anchor)).toEqual([anchor]);
    expect(findSection(read(file), `### ${rule.alert}`).trim().length).toBeGreaterThan(40);
  });

  test.each(alerts)('the dashboard of $alert exists, and has the variables of its path', ({ annotations }) => {
    const url = new URL(annotations['dashboard']!.replace(/ ?\{\{.*?\}\}/g, 'x'), 'http://grafana');
    const dashboard = readDashboards().find(({ uid }) => url.pathname === `/d/${uid}`);
    const variables = dashboard?.templating.list.map(({ name }) => `var-${name}`) ?? [];
    // To contain nothing is true of no dashboard as well.
    expect(dashboard).toBeDefined();
    expect(variables).toEqual(expect.arrayContaining([...url.searchParams.keys()]));
    expect([...url.searchParams.keys()]).toEqual(dashboard?.uid === 'thugshells-device' ? ['var-device'] : []);
  });

  test('the document has a row for each, in their order', () => {
    const rows = [...findSection(health, '## Alerts').matchAll(/^\| \[(\w+)\]\(troubleshooting\.md#(\w+)\) \|/gm)];
    expect(rows.map(([, name]) => name)).toEqual(names);
    expect(rows.map(([, , anchor]) => anchor)).toEqual(names.map((name) => name.toLowerCase()));
  });

  test('the documented command leads each runbook to a copy elsewhere', () => {
    const command = /^sed .*$/m.exec(findSection(health, '## Alerts'))![0];
    const copy = folder.path('thugshells.yml');
    copyFileSync(rulesFile, copy);
    execFileSync('sh', ['-c', command.replace('deploy/alerts/thugshells.yml', copy)]);
    const text = readFileSync(copy, 'utf8');
    expect(text).not.toContain('github.com');
    expect(text.match(/runbook_url: 'https:\/\/wiki\.example\.org\/thugshells\/docs\//g)).toHaveLength(alerts.length);
  });

  test('the example for Alertmanager names alerts that exist', () => {
    const { inhibit_rules: rules } = parse(read('deploy/alerts/alertmanager.yml')) as {
      inhibit_rules: { source_matchers: string[]; target_matchers: string[] }[];
    };
    const named = rules
      .flatMap(({ source_matchers, target_matchers }) => [...source_matchers, ...target_matchers])
      .flatMap((matcher) => /^alertname (?:=|!=|=~) "?([\w|]+)"?$/.exec(matcher)?.[1]?.split('|') ?? []);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !names.includes(name))).toEqual([]);
  });
});

test('health reasons: the document has each, and no other', () => {
  const cells = [...findSection(health, '### Reasons').matchAll(/^\| (`[^|]+`) \|/gm)].map(([, cell = '']) => cell);
  const reasons = cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason));
  expect(reasons.sort()).toEqual([...HEALTH_REASONS]);
});
