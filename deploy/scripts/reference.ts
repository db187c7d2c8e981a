/** The variables as documents: the table of README.md and the commented environment file, both from the schemas. */

/**
 * @typedef {{ env: string, doc: string, default: string, defaultDoc?: string }} Variable
 * @typedef {{ collector: Readonly<Record<string, Variable>>, uploader: Readonly<Record<string, Variable>> }} Schemas
 */

const PREFIX = 'THUGSHELLS_';
const BEGIN = '<!-- variables: written by npm run docs -->';
const END = '<!-- end of variables -->';

/**
 * Every variable once, in the order of the schemas, with the programs that read it.
 *
 * @param {Schemas} schemas
 */
function variablesOf({ collector, uploader }) {
  const entries = new Map();
  for (const [program, variables] of Object.entries({ collector, uploader })) {
    for (const variable of Object.values(variables)) {
      const known = entries.get(variable.env);
      entries.set(variable.env, known ? { ...known, of: 'both' } : { ...variable, of: program });
    }
  }
  return [...entries.values()];
}

/**
 * @param {Schemas} schemas
 * @returns {string} a Markdown table
 */
export function variableTable(schemas) {
  const rows = variablesOf(schemas).map(
    ({ env, doc, default: value, defaultDoc, of }) =>
      `| \`${PREFIX}${env}\` | ${defaultDoc ?? `\`${value}\``} | ${of} | ${doc} |`,
  );
  return ['| variable | default | read by | meaning |', '|---|---|---|---|', ...rows].join('\n');
}

/**
 * @param {string} readme
 * @param {Schemas} schemas
 * @returns {string} the same with its table of variables renewed
 */
export function withVariableTable(readme, schemas) {
  const [before, rest] = readme.split(BEGIN);
  const after = rest?.split(END)[1];
  if (after === undefined) throw new Error(`README.md lacks the lines ${BEGIN} and ${END}`);
  return `${before}${BEGIN}\n${variableTable(schemas)}\n${END}${after}`;
}

/**
 * @param {Schemas} schemas
 * @returns {string} an environment file for systemd, every variable commented out
 */
export function environmentFile(schemas) {
  const entries = variablesOf(schemas).map(
    ({ env, doc, default: value, defaultDoc, of }) =>
      `# ${doc}\n# Read by ${of === 'both' ? 'both programs' : `the ${of}`}; default: ${defaultDoc ?? value}\n#${PREFIX}${env}=${defaultDoc === undefined ? value : ''}\n`,
  );
  return [
    '# Configuration of both Thugshells programs; a line without # sets a variable.',
    '# "thugshells-collector check-config" prints what is in force and names every mistake.\n',
    ...entries,
  ].join('\n');
}
