import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { parse, stringify } from 'yaml';

/** The file of rules. */
export const rulesFile = fileURLToPath(new URL('../../deploy/alerts/thugshells.yml', import.meta.url));

/** A rule that alerts. */
export interface AlertRule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A rule that records a series. */
export interface RecordingRule {
  readonly record: string;
  readonly expr: string;
}

interface RulesFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly (AlertRule | RecordingRule)[] }[];
}

function readRulesFile(): RulesFile {
  return parse(readFileSync(rulesFile, 'utf8')) as RulesFile;
}

export function alertRules(): AlertRule[] {
  return readRulesFile().groups.flatMap(({ rules }) => rules.filter((rule) => 'alert' in rule));
}

export function recordingRules(): RecordingRule[] {
  return readRulesFile().groups.flatMap(({ rules }) => rules.filter((rule) => 'record' in rule));
}

/** Returns the file with some of its rules, by the names of alerts and recorded series. */
export function selectRules(names: readonly string[]): string {
  const groups = readRulesFile().groups.map((group) => ({
    ...group,
    rules: group.rules.filter((rule) => names.includes('record' in rule ? rule.record : rule.alert)),
  }));
  return stringify({ groups: groups.filter(({ rules }) => rules.length > 0) });
}

/** Returns the names of the series that an expression reads. */
export function findSeriesNames(expression: string): string[] {
  const matched = [...expression.matchAll(/__name__=~"([^"]+)"/g)].flatMap(([, names = '']) => names.split('|'));
  const bare = expression.replace(/\{[^}]*\}|"[^"]*"|\b(?:by|on|without) \([^)]*\)/g, '');
  // Those have an underscore at least, and functions a parenthesis after them.
  return [...matched, ...(bare.match(/\b[a-z][\w:]*_[\w:]*\b(?! ?\()/g) ?? [])];
}
