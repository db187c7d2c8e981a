import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import type { Expression } from './promql.ts';

const folder = fileURLToPath(new URL('../../deploy/grafana/dashboards', import.meta.url));

/** A panel of a dashboard, as far as tests read it. */
export interface DashboardPanel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly datasource?: { readonly uid: string };
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly PanelTarget[];
  readonly transformations?: readonly { readonly id: string; readonly options: Readonly<Record<string, unknown>> }[];
  readonly options?: { readonly sortBy?: readonly { readonly displayName: string }[] };
  readonly fieldConfig?: {
    readonly defaults: FieldOptions;
    readonly overrides: readonly {
      readonly matcher: { readonly id: string; readonly options: string };
      readonly properties: readonly { readonly id: string; readonly value: unknown }[];
    }[];
  };
}

interface PanelTarget {
  readonly refId: string;
  readonly expr: string;
  readonly legendFormat: string;
  readonly datasource: { readonly uid: string };
}

interface FieldOptions {
  readonly unit?: string;
  readonly mappings: readonly unknown[];
  readonly custom?: { readonly axisLabel?: string };
  readonly thresholds?: { readonly steps: readonly { readonly value: number | null }[] };
}

/** A query whose values above 0 are marked in all plots. */
export interface DashboardAnnotation {
  readonly name: string;
  readonly expr: string;
  readonly datasource: { readonly uid: string };
}

/** What a reader chooses. */
interface DashboardVariable {
  readonly name: string;
  readonly type: string;
  readonly query: { readonly query: string };
  readonly datasource?: { readonly uid: string };
}

/** One of Grafana's dashboards. */
export interface Dashboard {
  readonly file: string;
  readonly uid: string;
  readonly title: string;
  readonly links: readonly { readonly title: string; readonly url: string }[];
  readonly templating: { readonly list: readonly DashboardVariable[] };
  readonly annotations: { readonly list: readonly DashboardAnnotation[] };
  readonly panels: readonly DashboardPanel[];
}

/** Values of what a dashboard leaves open; by default every device of every site. */
export interface Choice {
  readonly site?: string;
  readonly device?: string;
  readonly stepSeconds?: number;
}

export function readDashboards(): Dashboard[] {
  const files = readdirSync(folder).filter((file) => file.endsWith('.json'));
  return files.map((file) => ({ ...(JSON.parse(readFileSync(join(folder, file), 'utf8')) as Dashboard), file }));
}

/** Puts values in the places of variables, as Grafana does. */
export function fillIn(text: string, { site = '.*', device = '.+', stepSeconds = 60 }: Choice = {}): string {
  return text
    .replaceAll('$__rate_interval', `${Math.max(300, stepSeconds)}s`)
    .replaceAll('$__interval_ms', String(stepSeconds * 1000))
    .replaceAll('="$device"', `=~"${device}"`)
    .replaceAll('"$site"', `"${site}"`);
}

/** Returns every expression of every panel. */
export function expressionsOfDashboards(): Expression[] {
  return readDashboards().flatMap(({ file, panels }) =>
    panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ where: `${file}, ${title}`, text: fillIn(expr) })),
    ),
  );
}

/** Returns what a receiver has for a variable of the dashboards, by its query: `label_values(SELECTOR, LABEL)`. */
export async function listValues(origin: string, variable: string): Promise<string[]> {
  const variables = readDashboards().flatMap(({ templating }) => templating.list);
  const chosen = variables.find(({ name }) => name === variable);
  const [, selector, label] = /^label_values\((.+), (\w+)\)$/.exec(chosen?.query.query ?? '') ?? [];
  if (selector === undefined) throw new Error(`no variable ${variable} that asks for label_values`);
  const address = `${origin}/api/v1/label/${label}/values?${new URLSearchParams({ 'match[]': fillIn(selector) }).toString()}`;
  const response = await fetch(address, { headers: { connection: 'close' } });
  return ((await response.json()) as { data: string[] }).data;
}
