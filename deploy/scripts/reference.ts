/** The variables as documents: the table of docs/configuration.md and the commented environment file, both from the schemas. */

/** What the documents show of a variable. */
interface DocumentedVariable {
  /** Without the prefix. */
  readonly env: string;
  readonly doc: string;
  readonly default: string;
  /** Shown instead of the default if that depends on the machine. */
  readonly defaultDoc?: string;
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
const BEGIN = '<!-- variables: written by npm run docs -->';
const END = '<!-- end of variables -->';

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

/**
 * Returns docs/configuration.md with its table of variables renewed.
 *
 * @throws Error if it lacks the lines around the table
 */
export function withVariableTable(document: string, schemas: VariableSchemas): string {
  const [before = '', rest] = document.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`docs/configuration.md lacks the lines ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n${variableTable(schemas)}\n${END}${after}`;
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
