import { fileURLToPath } from 'node:url';

import ts from 'typescript';

import type { Dashboard, DashboardPanel } from './dashboards.ts';

/** Grafana's own types of what a panel of each type takes. */
const TYPES_OF_PANELS: Readonly<Record<string, readonly [folder: string, file: string]>> = {
  stat: ['stat', 'Stat'],
  'state-timeline': ['statetimeline', 'StateTimeline'],
  table: ['table', 'Table'],
  timeseries: ['timeseries', 'TimeSeries'],
};

const HEAD = `
import type { AnnotationQuery, Dashboard, FieldConfig, Panel, RowPanel } from '@grafana/schema';
/** The text or the number of an enumeration stands in JSON for its member. */
type Json<T> = T extends string ? \`\${T}\` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
/** What the data source of Prometheus adds; the schema leaves it open. */
type Annotation = AnnotationQuery & { expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string; useValueForTime: boolean };
`;

/** Returns what Grafana's types, of the version that is installed, do not allow in a dashboard. */
export function findTypeErrors(dashboard: Dashboard): string[] {
  const { file: _, panels, annotations, ...rest } = dashboard;
  return compile(
    [
      HEAD,
      check(rest, 'Json<Dashboard>'),
      ...annotations.list.map((annotation) => check(annotation, 'Json<Annotation>')),
      ...panels.flatMap(toSource),
    ].join('\n'),
  );
}

function check(value: unknown, type: string): string {
  return `void (${JSON.stringify(value)} satisfies ${type});`;
}

function toSource({ options, fieldConfig, ...panel }: DashboardPanel): string[] {
  if (panel.type === 'row') return [check(panel, 'Json<RowPanel>')];
  const [folder, file] = TYPES_OF_PANELS[panel.type] ?? [panel.type, panel.type];
  const types = `import('@grafana/schema/dist/esm/raw/composable/${folder}/panelcfg/x/${file}PanelCfg_types.gen')`;
  const { custom, ...defaults } = fieldConfig?.defaults ?? { mappings: [] };
  const overrides = fieldConfig?.overrides ?? [];
  return [
    check({ ...panel, fieldConfig: { defaults, overrides } }, 'Json<Panel>'),
    check(options, `Json<Partial<${types}.Options>>`),
    ...(custom === undefined ? [] : [check(custom, `Json<Partial<${types}.FieldConfig>>`)]),
    ...overrides.flatMap(({ properties }) =>
      properties.map(({ id, value }) => {
        const [, name] = /^custom\.(.*)$/.exec(id) ?? [];
        const owner = name === undefined ? 'FieldConfig' : `${types}.FieldConfig`;
        return check(value, `Json<${owner}>[${JSON.stringify(name ?? id)}]`);
      }),
    ),
  ];
}

/** Compiles a text as if it stood beside this file. */
function compile(text: string): string[] {
  const name = fileURLToPath(new URL('dashboard-as-literals.ts', import.meta.url));
  const options: ts.CompilerOptions = {
    noEmit: true,
    strict: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
  };
  const files = ts.createCompilerHost(options);
  const host: ts.CompilerHost = {
    ...files,
    fileExists: (file) => file === name || files.fileExists(file),
    getSourceFile: (file, ...others) =>
      file === name ? ts.createSourceFile(name, text, ts.ScriptTarget.ES2022) : files.getSourceFile(file, ...others),
  };
  const program = ts.createProgram([name], options, host);
  return ts
    .getPreEmitDiagnostics(program)
    .map(
      ({ messageText, start = 0, length = 0 }) =>
        `${text.slice(start, start + length).slice(0, 200)}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`,
    );
}
