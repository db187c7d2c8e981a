/** The manual pages of the programs, made of the tables of commands and of variables: roff with the macros of man(7). */
import { toSentence, wrap } from '../../shared/src/process/command-help.ts';
import {
  EXIT_CODES,
  HELP_COMMAND,
  listValues,
  PROGRAM_OPTIONS,
  type CommandDescription,
  type CommandOption,
  type ProgramTable,
} from '../../shared/src/process/command-table.ts';

/** What a manual page shows of a variable. */
interface ManualVariable {
  /** Without the prefix. */
  readonly env: string;
  readonly doc: string;
  readonly default: string;
  /** Shown instead of the default if that depends on the machine. */
  readonly defaultDoc?: string;
  readonly format: { readonly expected: string };
}

export interface ManualPageOptions {
  readonly table: ProgramTable;
  readonly variables: readonly ManualVariable[];
  readonly version: string;
  /** `2026-01-31` */
  readonly date: string;
}

/** The section of commands for whoever administers a system. */
export const MANUAL_SECTION = 8;

const PREFIX = 'THUGSHELLS_';
const FILES: Readonly<Record<string, string>> = {
  '/etc/thugshells/thugshells.env': 'Variables of both programs.',
  '/etc/thugshells/remote/':
    'Credentials for the receiver: token, password, headers, ca, cert and key; readable by root alone.',
  '/var/lib/thugshells/metrics.db': 'The database.',
  '/usr/share/doc/thugshells/': 'Documents, dashboards and alert rules.',
};
const SEE_ALSO = [
  'thugshells-collector(8)',
  'thugshells-uploader(8)',
  'journalctl(1)',
  'systemctl(1)',
  'systemd.exec(5)',
];

/** Creates the manual page of a program. */
export function createManualPage({ table, variables, version, date }: ManualPageOptions): string {
  const { program, summary, commands } = table;
  const described = Object.entries(commands);
  return [
    `.TH ${escape(program.toUpperCase())} ${MANUAL_SECTION} ${date} "Thugshells ${escape(version)}" "System administration"`,
    '.SH NAME',
    `${escape(program)} \\- ${escape(summary)}`,
    '.SH SYNOPSIS',
    `.B ${escape(program)}`,
    `[${italic('command')}] [${italic('option')} ...]`,
    '.SH DESCRIPTION',
    ...toLines(
      `Without a command, ${described[0]![0]} is executed. Configuration comes from environment variables. Executed by root, the command runs like its unit: with the same user, variables, state directory and credentials.`,
    ),
    '.SH COMMANDS',
    ...described.flatMap(([name, command]) => toCommand(name, command)),
    ...entry(bold(HELP_COMMAND.name), toSentence(HELP_COMMAND.doc)),
    '.SH OPTIONS',
    ...toOptions(table),
    ...toValues(table),
    '.SH ENVIRONMENT',
    ...variables.flatMap(toVariable),
    ...entry(bold('NO_COLOR'), 'If this is not empty, output has no colors.'),
    '.SH EXIT STATUS',
    ...Object.entries(EXIT_CODES).flatMap(([code, doc]) => entry(bold(code), toSentence(doc))),
    '.SH FILES',
    ...Object.entries(FILES).flatMap(([path, doc]) => entry(italic(path), doc)),
    '.SH EXAMPLES',
    ...described.flatMap(([, { examples }]) =>
      Object.entries(examples).flatMap(([args, doc]) => entry(bold(`${program} ${args}`), toSentence(doc))),
    ),
    '.SH SEE ALSO',
    SEE_ALSO.filter((page) => page !== `${program}(${MANUAL_SECTION})`)
      .map(toReference)
      .join(',\n'),
    '',
  ].join('\n');
}

/** Returns a term, and its explanation below, indented. */
function entry(term: string, ...texts: readonly string[]): string[] {
  return ['.TP', term, ...texts.flatMap((text, at) => [...(at === 0 ? [] : ['.IP']), ...toLines(text)])];
}

function toCommand(name: string, { doc, details, options = {}, exitCodes }: CommandDescription): string[] {
  const words = Object.entries(options).map(([option, each]) => {
    const usage = toUsage(option, each);
    return each.isRequired === true ? usage : `[${usage}]`;
  });
  const codes = Object.entries(exitCodes ?? {}).map(([code, meaning]) => `${code}: ${meaning}`);
  const exit = codes.length === 0 ? [] : [`Exit status ${codes.join('; ')}.`];
  return entry([bold(name), ...words].join(' '), [toSentence(doc), details ?? ''].join(' ').trim(), ...exit);
}

/** Returns every option with what it does for which commands. */
function toOptions({ commands }: ProgramTable): string[] {
  const docs = new Map<string, Map<string, string[]>>();
  for (const [name, { options = {} }] of Object.entries(commands)) {
    for (const [option, each] of Object.entries(options)) {
      const usage = toUsage(option, each);
      const ofOption = docs.get(usage) ?? new Map<string, string[]>();
      docs.set(usage, ofOption.set(each.doc, [...(ofOption.get(each.doc) ?? []), name]));
    }
  }
  return [
    ...[...docs].flatMap(([usage, texts]) =>
      entry(usage, ...[...texts].map(([doc, names]) => `${names.join(', ')}: ${doc}.`)),
    ),
    ...Object.entries(PROGRAM_OPTIONS).flatMap(([option, { doc }]) => entry(bold(option), toSentence(doc))),
  ];
}

/** Returns the forms of each kind of value. */
function toValues({ commands }: ProgramTable): string[] {
  const values = new Set(Object.values(commands).flatMap(listValues));
  return [...values].flatMap(({ name, forms }) => [
    `.SS ${escape(name)}`,
    ...forms.flatMap(([example, meaning]) => entry(bold(example), toSentence(meaning))),
  ]);
}

function toVariable({ env, doc, default: value, defaultDoc, format }: ManualVariable): string[] {
  const text = defaultDoc ?? (value === '' ? 'none' : value);
  return entry(bold(`${PREFIX}${env}`), doc, `Must be ${format.expected}. Default: ${text.replaceAll('`', '')}.`);
}

function toUsage(name: string, { value }: CommandOption): string {
  return value === undefined ? bold(name) : `${bold(name)} ${italic(value.name)}`;
}

function toReference(page: string): string {
  const [, name = '', section = ''] = /^(.*)(\(\d\))$/.exec(page) ?? [];
  return `${bold(name)}${section}`;
}

/** Breaks an escaped text into lines, of which none begins as a request does. */
function toLines(text: string): string[] {
  return wrap(escape(text)).map((line) => line.replace(/^\./, '\\&.'));
}

function bold(text: string): string {
  return `\\fB${escape(text)}\\fR`;
}

function italic(text: string): string {
  return `\\fI${escape(text)}\\fR`;
}

/** Escapes what roff would take for an escape, a request or a hyphen, and letters that are not ASCII. */
function escape(text: string): string {
  return text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replace(
      /[^\x20-\x7e]/gu,
      (letter) => `\\[u${letter.codePointAt(0)!.toString(16).toUpperCase().padStart(4, '0')}]`,
    );
}
