/** What documents take from the sources: the tables of variables and of responses, and the commented environment file. */

/** What the documents show of a variable. */
interface DocumentedVariable {
  /** Without the prefix. */
  readonly env: string;
  readonly doc: string;
  readonly default: string;
  /** Shown instead of the default if that depends on the machine. */
  readonly defaultDoc?: string;
}

/** What the documents show of a series. */
export interface DocumentedSeries {
  /** Dotted. */
  readonly name: string;
  readonly kind: string;
  readonly unit: string;
  readonly help: string;
}

/** What a response or a failure means, and what to do. */
export interface DocumentedResponse {
  readonly meaning: string;
  readonly remedy: string;
}

/** The variables of each program. */
export interface VariableSchemas {
  readonly collector: Readonly<Record<string, DocumentedVariable>>;
  readonly uploader: Readonly<Record<string, DocumentedVariable>>;
}

interface ListedVariable extends DocumentedVariable {
  readonly readBy: 'collector' | 'uploader' | 'both';
}

const PREFIX = 'THUGSHELLS_';

/** Lists every variable once, in the order of the schemas, with the programs that read it. */
function listVariables(schemas: VariableSchemas): ListedVariable[] {
  const entries = new Map<string, ListedVariable>();
  for (const program of ['collector', 'uploader'] as const) {
    for (const variable of Object.values(schemas[program])) {
      const known = entries.get(variable.env);
      entries.set(variable.env, known ? { ...known, readBy: 'both' } : { ...variable, readBy: program });
    }
  }
  return [...entries.values()];
}

/** Returns a Markdown table of the variables. */
export function variableTable(schemas: VariableSchemas): string {
  const rows = listVariables(schemas).map(
    ({ env, doc, default: value, defaultDoc, readBy }) =>
      `| \`${PREFIX}${env}\` | ${defaultDoc ?? `\`${value}\``} | ${readBy} | ${doc} |`,
  );
  return ['| variable | default | read by | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/** By the name of the group in shared/src/metrics/agent-series.ts. */
const AGENT_TITLES: Readonly<Record<string, string>> = {
  collectorSeries: 'Collectors themselves',
  uploaderSeries: 'Uploader',
  storageSeries: 'Database',
  bootSeries: 'Boots',
  timeSeries: 'Clock',
  scrapeSeries: 'Scrape targets',
  textfileSeries: 'Text files',
};

/**
 * Returns Markdown tables of all series: one for each collector, and one for each group of what the programs report of themselves.
 *
 * @throws Error if a group has no title
 */
export function metricTables(
  collectors: Readonly<Record<string, { readonly series: readonly DocumentedSeries[] }>>,
  agent: Readonly<Record<string, Readonly<Record<string, DocumentedSeries>>>>,
): string {
  const groups = [
    ...Object.entries(collectors).map(([name, { series }]) => [`Collector ${name}`, series] as const),
    ...Object.entries(agent).map(([group, series]) => {
      const title = AGENT_TITLES[group];
      if (title === undefined) throw new Error(`the series of ${group} have no title in the documents`);
      return [title, Object.values(series)] as const;
    }),
  ];
  const tables = groups.map(([title, series]) => {
    const rows = series.map(
      ({ name, kind, unit, help }) =>
        `| \`${name.replaceAll('.', '_')}\` | ${kind} | ${unit === 'none' ? '' : unit.replaceAll('_', ' ')} | ${help} |`,
    );
    return [`## ${title}\n`, '| metric | type | unit | meaning |', '|---|---|---|---|', ...rows].join('\n');
  });
  return `\n${tables.join('\n\n')}\n`;
}

/** Returns a Markdown table of what a receiver may respond, or why it does not. */
export function responseTable(responses: readonly DocumentedResponse[]): string {
  const rows = [...new Map(responses.map(({ meaning, remedy }) => [meaning, remedy]))].map(
    ([meaning, remedy]) => `| ${meaning} | ${remedy === '' ? 'nothing: it is tried again' : remedy} |`,
  );
  return ['| meaning | what to do |', '|---|---|', ...rows].join('\n');
}

/**
 * Returns a document with a table renewed.
 *
 * @param name what the lines around the table call it
 * @throws Error if the document lacks these lines
 */
export function withTable(document: string, name: 'variables' | 'responses' | 'metrics', table: string): string {
  const [begin, end] = [`<!-- ${name}: written by npm run docs -->`, `<!-- end of ${name} -->`];
  const [before = '', rest] = document.split(begin);
  const after = rest?.split(end)[1];
  if (after === undefined) throw new Error(`the document lacks the lines ${begin} and ${end}`);
  return `${before}${begin}\n${table}\n${end}${after}`;
}

/** Returns an environment file for systemd, every variable commented out. */
export function environmentFile(schemas: VariableSchemas): string {
  const entries = listVariables(schemas).map(
    ({ env, doc, default: value, defaultDoc, readBy }) =>
      `# ${doc}\n# Read by ${readBy === 'both' ? 'both programs' : `the ${readBy}`}; default: ${defaultDoc ?? value}\n#${PREFIX}${env}=${defaultDoc === undefined ? value : ''}\n`,
  );
  return [
    '# Configuration of both Thugshells programs; a line without # sets a variable.',
    '# "thugshells-collector check-config" prints what is in force and names every mistake.\n',
    ...entries,
  ].join('\n');
}
