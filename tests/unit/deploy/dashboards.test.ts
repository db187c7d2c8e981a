import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';

import { readDashboards, type Dashboard, type DashboardPanel } from '../../support/dashboards.ts';
import { findTypeErrors } from '../../support/grafana-types.ts';

/**
 * What Grafana takes without a word and shows wrongly: an option under another name, a panel over another one, a column that is
 * renamed in one place.
 */

const root = fileURLToPath(new URL('../../..', import.meta.url));
const dashboards = readDashboards();
const all = dashboards.map((dashboard) => [dashboard.file, dashboard] as const);
const COLUMNS_OF_GRID = 24;
/** What Grafana itself puts in. */
const BUILT_IN = ['__rate_interval', '__interval_ms', '__url_time_range', '__value', '__field', '__all'];

function readYaml(path: string): unknown {
  return parse(readFileSync(join(root, path), 'utf8'));
}

function overlaps({ gridPos: one }: DashboardPanel, { gridPos: other }: DashboardPanel): boolean {
  return one.x < other.x + other.w && other.x < one.x + one.w && one.y < other.y + other.h && other.y < one.y + one.h;
}

/** Returns the names of the columns that a table gets by its transformations. */
function findColumns({ transformations = [] }: DashboardPanel): string[] {
  return transformations.flatMap(({ options }) =>
    Object.values((options['renameByName'] ?? {}) as Record<string, string>),
  );
}

const panelsOf = ({ panels }: Dashboard): DashboardPanel[] => panels.filter(({ type }) => type !== 'row');

describe.each(all)('dashboard %s:', (_file, dashboard) => {
  test('every option is one that Grafana has, with a value that it takes', () => {
    expect(findTypeErrors(dashboard)).toEqual([]);
  }, 60_000);

  test('each panel has an id and a title of its own', () => {
    const titled = panelsOf(dashboard).map(({ type, title }) => `${type} ${title}`);
    expect([...new Set(dashboard.panels.map(({ id }) => id))]).toHaveLength(dashboard.panels.length);
    expect([...new Set(titled)]).toHaveLength(titled.length);
  });

  test('titles are in sentence case', () => {
    const titles = dashboard.panels.map(({ title }) => title);
    expect(titles.filter((title) => !/^(?:[A-Z][a-z]|CPU|WAL|TCP|eMMC)[^.]*$/.test(title))).toEqual([]);
    expect(titles.filter((title) => / [A-Z][a-z]/.test(title.replace('Wi-Fi', '')))).toEqual([]);
  });

  test('no panel lies over another one or beside the grid', () => {
    const { panels } = dashboard;
    const pairs = panels.flatMap((one, at) => panels.slice(at + 1).map((other) => [one, other] as const));
    expect(
      pairs.filter(([one, other]) => overlaps(one, other)).map(([one, other]) => [one.title, other.title]),
    ).toEqual([]);
    expect(panels.filter(({ gridPos: { x, w } }) => x + w > COLUMNS_OF_GRID)).toEqual([]);
  });

  test('each query, annotation and variable asks the chosen data source', () => {
    const panels = panelsOf(dashboard);
    const variables = dashboard.templating.list.filter(({ type }) => type === 'query');
    const targets = panels.flatMap((panel) => panel.targets ?? []);
    const asked = [...panels, ...targets, ...dashboard.annotations.list, ...variables];
    expect([...new Set(asked.map(({ datasource }) => datasource?.uid))]).toEqual(['${datasource}']);
    for (const { targets: own = [] } of panels) expect(new Set(own.map(({ refId }) => refId)).size).toBe(own.length);
  });

  test('each variable that is used exists, and each that exists is used', () => {
    const text = JSON.stringify(dashboard);
    const used = [...text.matchAll(/\$(?:\{(\w+)|(\w+))/g)].map(([, inBraces, bare]) => inBraces ?? bare ?? '');
    const names = dashboard.templating.list.map(({ name }) => name);
    expect([...new Set(used)].filter((name) => !BUILT_IN.includes(name)).sort()).toEqual([...names].sort());
  });

  test('values have a unit, or text instead of the number', () => {
    const bare = panelsOf(dashboard).filter(
      ({ type, fieldConfig }) =>
        type !== 'table' && fieldConfig?.defaults.unit === undefined && fieldConfig?.defaults.mappings.length === 0,
    );
    expect(bare.map(({ title }) => title)).toEqual([]);
    const numbers = panelsOf(dashboard).filter(
      ({ type, fieldConfig }) => type === 'timeseries' && ['none', 'short'].includes(fieldConfig?.defaults.unit ?? ''),
    );
    expect(numbers.filter(({ fieldConfig }) => fieldConfig?.defaults.custom?.axisLabel === undefined)).toEqual([]);
  });

  test('thresholds begin at the lowest value and rise', () => {
    const steps = panelsOf(dashboard).flatMap(({ fieldConfig }) => [
      fieldConfig?.defaults.thresholds?.steps ?? [],
      ...(fieldConfig?.overrides ?? []).flatMap(({ properties }) =>
        properties.flatMap(({ id, value }) =>
          id === 'thresholds' ? [(value as { steps: { value: number }[] }).steps] : [],
        ),
      ),
    ]);
    for (const [first, ...others] of steps.filter(({ length }) => length > 0)) {
      expect(first?.value).toBeNull();
      const values = others.map(({ value }) => Number(value));
      expect(values).toEqual(values.toSorted((one, other) => one - other));
    }
  });

  test('each table has the columns that it sorts by, and gives units and colors to', () => {
    for (const panel of panelsOf(dashboard).filter(({ type }) => type === 'table')) {
      const named = [
        ...(panel.options?.sortBy ?? []).map(({ displayName }) => displayName),
        ...(panel.fieldConfig?.overrides ?? []).map(({ matcher }) => matcher.options),
      ];
      expect(findColumns(panel)).toEqual(expect.arrayContaining(named));
    }
  });

  test('links lead to a dashboard or a document that exists, or to the status page of a device', () => {
    const addresses = [...JSON.stringify(dashboard).matchAll(/"url":"([^"?]+)/g)].map(([, address = '']) => address);
    const known = [...dashboards.map(({ uid }) => `/d/${uid}`), 'http://127.0.0.1:9109/'];
    const documents = addresses.flatMap((address) => /\/blob\/main\/([^#]+)/.exec(address)?.[1] ?? []);
    expect(documents.filter((path) => !existsSync(join(root, path)))).toEqual([]);
    expect(known).toEqual(expect.arrayContaining(addresses.filter((address) => !address.includes('/blob/main/'))));
    expect(addresses.length).toBeGreaterThan(documents.length);
  });
});

test('dashboards: the states of health have one text and one color everywhere', () => {
  const states = [...JSON.stringify(dashboards).matchAll(/"\d":\{"text":"(?:ok|degraded|error)"[^}]*\}/g)].map(
    ([state]) => state,
  );
  expect(states.length).toBeGreaterThan(6);
  expect(new Set(states).size).toBe(3);
});

describe('Grafana of the compose file:', () => {
  const { grafana } = (readYaml('deploy/docker/docker-compose.yml') as { services: { grafana: GrafanaService } })
    .services;

  test('reads the dashboards where they are mounted, read-only', () => {
    const { providers } = readYaml('deploy/grafana/provisioning/dashboards/thugshells.yml') as {
      providers: { options: { path: string } }[];
    };
    expect(grafana.volumes).toEqual(
      expect.arrayContaining([
        '../grafana/provisioning:/etc/grafana/provisioning:ro',
        `../grafana/dashboards:${providers[0]!.options.path}:ro`,
      ]),
    );
  });

  test('starts with the others, listens on loopback only, and lets anybody look and nobody change anything', () => {
    expect(grafana.profiles).toBeUndefined();
    expect(grafana.network_mode).toBe('host');
    expect(grafana.environment).toEqual(
      expect.arrayContaining([
        'GF_SERVER_HTTP_ADDR=127.0.0.1',
        'GF_AUTH_ANONYMOUS_ENABLED=true',
        'GF_AUTH_ANONYMOUS_ORG_ROLE=Viewer',
        'GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION=true',
      ]),
    );
  });

  test('has the version whose types the dashboards are checked with', () => {
    const { devDependencies } = readYaml('package.json') as { devDependencies: Record<string, string> };
    expect(grafana.image).toBe(`grafana/grafana:${devDependencies['@grafana/schema']}`);
  });

  test('opens with a dashboard that is mounted', () => {
    const home = grafana.environment.find((line) => line.startsWith('GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH='));
    expect(dashboards.map(({ file }) => file)).toContain(home?.split('/').at(-1));
  });

  test('asks the VictoriaMetrics beside it', () => {
    const { datasources } = readYaml('deploy/grafana/provisioning/datasources/victoria-metrics.yml') as {
      datasources: { url: string }[];
    };
    const [, variable] = /\$(\w+)$/.exec(datasources[0]!.url) ?? [];
    expect(grafana.environment).toContain(`${variable}=\${VICTORIA_METRICS_PORT:-8428}`);
  });
});

interface GrafanaService {
  readonly image: string;
  readonly network_mode?: string;
  readonly profiles?: readonly string[];
  readonly environment: readonly string[];
  readonly volumes: readonly string[];
}
