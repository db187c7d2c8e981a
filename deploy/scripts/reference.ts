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
export function withTable(document: string, name: 'variables' | 'responses', table: string): string {
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
