import {
  EXIT_CODES,
  formatOption,
  formatUsage,
  HELP_COMMAND,
  HELP_OPTION,
  listValues,
  PROGRAM_OPTIONS,
  type CommandDescription,
  type CommandOptions,
  type ProgramTable,
} from './command-table.ts';

/** Help is read on terminals of this width. */
const WIDTH = 80;
const INDENT = '  ';
/** Of the longest name at most; what is longer stands on a line of its own. */
const MAX_NAME_WIDTH = 22;

type Rows = readonly (readonly [name: string, text: string])[];

/** Formats the help of a program: its commands, and where to read on. */
export function formatProgramHelp({ program, commands }: ProgramTable): string {
  const docs = Object.entries(commands).map(
    ([name, { doc }], index) => [name, index === 0 ? `${doc} (default)` : doc] as const,
  );
  return toText([
    [`usage: ${program} [command] [options]`],
    ['Commands:', ...formatRows([...docs, [HELP_COMMAND.name, HELP_COMMAND.doc]])],
    ['Options:', ...formatRows(toRows(PROGRAM_OPTIONS))],
    ['Exit codes:', ...formatRows(Object.entries(EXIT_CODES))],
    wrap(
      `Run "${program} help COMMAND" for the options of a command, with examples. Configuration comes from environment variables; check-config prints them all.`,
    ),
  ]);
}

/** Formats the help of one command: what it does, its options and what they take, exit codes, examples. */
export function formatCommandHelp({ program, commands }: ProgramTable, name: string): string {
  const command = commands[name]!;
  const { doc, details, options = {}, exitCodes, examples } = command;
  return toText([
    formatUsageLines(program, name, command),
    wrap(toSentence(doc)),
    details === undefined ? [] : wrap(details),
    ['Options:', ...formatRows(toRows({ ...options, ...HELP_OPTION }))],
    ...listValues(command).map((value) => [`${value.name} is one of these:`, ...formatRows(value.forms)]),
    exitCodes === undefined ? [] : ['Exit codes:', ...formatRows(Object.entries(exitCodes))],
    ['Examples:', ...formatExamples(program, Object.entries(examples))],
  ]);
}

function formatUsageLines(program: string, name: string, command: CommandDescription): string[] {
  const begin = `usage: ${program} `;
  // Options stay with their values: the blanks in them are no place for a new line.
  const words = formatUsage(name, command).replace(/(--\S+) ([A-Z])/g, '$1\u00a0$2');
  const [first = '', ...more] = wrap(words, WIDTH - begin.length);
  const lines = [`${begin}${first}`, ...more.map((line) => `${' '.repeat(begin.length)}${line}`)];
  return lines.map((line) => line.replaceAll('\u00a0', ' '));
}

function formatExamples(program: string, examples: Rows): string[] {
  return examples.flatMap(([args, doc]) => [
    `${INDENT}${program} ${args}`,
    ...wrap(doc, WIDTH - 3 * INDENT.length).map((line) => `${INDENT.repeat(3)}${line}`),
  ]);
}

function toRows(options: CommandOptions): Rows {
  return Object.entries(options).map(([name, option]) => [formatOption(name, option), option.doc]);
}

/** Formats rows of a name and a text beside it. */
function formatRows(rows: Rows): string[] {
  const nameWidth = Math.min(MAX_NAME_WIDTH, Math.max(...rows.map(([name]) => name.length))) + INDENT.length;
  const margin = `${INDENT}${' '.repeat(nameWidth)}`;
  return rows.flatMap(([name, text]) => {
    const [first = '', ...more] = wrap(text, WIDTH - margin.length);
    const isLong = name.length + INDENT.length > nameWidth;
    const head = isLong ? [`${INDENT}${name}`, `${margin}${first}`] : [`${INDENT}${name.padEnd(nameWidth)}${first}`];
    return [...head, ...more.map((line) => `${margin}${line}`)];
  });
}

/** Breaks a text into lines between its words. */
export function wrap(text: string, width = WIDTH): string[] {
  const lines: string[] = [];
  for (const word of text.split(' ')) {
    const line = lines.at(-1);
    if (line === undefined || line.length + 1 + word.length > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

/** Writes a description that is part of a line as a sentence. */
export function toSentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

function toText(sections: readonly (readonly string[])[]): string {
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}
