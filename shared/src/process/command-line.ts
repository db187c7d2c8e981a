import { suggest } from '../config/nearest.ts';
import { AgentError } from '../errors.ts';
import { readVersion } from './version.ts';

/** Options by how they are written, `--json`, or `--from T` for one that takes a value, each with what it does. */
export type CommandOptions = Readonly<Record<string, string>>;

/** One command of a program. */
export interface Command<Result> {
  /** What it does, as --help prints it. */
  readonly doc: string;
  readonly options?: CommandOptions;
  readonly run: (options: GivenOptions) => Result;
}

/** The options that were given, by their names. */
export interface GivenOptions extends ReadonlySet<string> {
  /** Returns the value of an option that takes one; undefined if it was not given. */
  value(name: string): string | undefined;
}

/** By name; the first one runs if the arguments name none. */
export type Commands<Result> = Readonly<Record<string, Command<Result>>>;

interface CommandLine<Result> {
  readonly program: string;
  readonly commands: Commands<Result>;
}

/** Widths of the columns with names of commands and options, in characters. */
const NAME_WIDTH = 18;
const HELP_OPTIONS: CommandOptions = { '--help, -h': 'print this help and exit' };

/**
 * Runs the command that the arguments name. `help`, `--help` and `-h` return the help of the program, or of the command
 * beside them; `--version` returns the version.
 *
 * @throws AgentError BAD_USAGE for an unknown command, option or argument, and for an option without its value
 */
export function dispatch<Result>(
  program: string,
  commands: Commands<Result>,
  args: readonly string[],
): Result | { readonly text: string } {
  const line: CommandLine<Result> = { program, commands };
  const [first = '', ...rest] = args[0]?.startsWith('-') === true ? ['', ...args] : args;
  if (first === '' && rest[0] === '--version') return { text: `${program} ${readVersion()}\n` };
  if (first === 'help') return { text: formatHelp(line, rest[0]) };
  if (args.includes('--help') || args.includes('-h')) return { text: formatHelp(line, first) };
  const name = first === '' ? Object.keys(commands)[0]! : first;
  const command = findCommand(line, name);
  const given = parseOptions(line, name, rest);
  return command.run(Object.assign(new Set(given.keys()), { value: (option: string) => given.get(option) }));
}

function findCommand<Result>({ program, commands }: CommandLine<Result>, name: string): Command<Result> {
  if (Object.hasOwn(commands, name)) return commands[name]!;
  throw createUsageError(`unknown command "${name}"${suggest(name, Object.keys(commands))}`, `${program} --help`);
}

/** Parses `--from T`, `--from=T` and `--json`. */
function parseOptions(
  { program, commands }: CommandLine<unknown>,
  name: string,
  args: readonly string[],
): Map<string, string | undefined> {
  const declared = new Map(Object.keys(commands[name]?.options ?? {}).map((usage) => [usage.split(' ')[0]!, usage]));
  const help = `${program} ${name} --help`;
  const given = new Map<string, string | undefined>();
  for (let index = 0; index < args.length; index++) {
    const [option = '', attached] = args[index]!.split(/=(.*)/s, 2);
    const usage = declared.get(option);
    if (usage === undefined) {
      throw option.startsWith('-')
        ? createUsageError(`unknown option ${option}${suggest(option, [...declared.keys()])}`, help)
        : createUsageError(`unexpected argument "${args[index]}"`, help);
    }
    const takesValue = usage.includes(' ');
    if (attached !== undefined && !takesValue) throw createUsageError(`option ${option} takes no value`, help);
    const value = takesValue ? (attached ?? args[(index += 1)]) : undefined;
    if (takesValue && (value === undefined || value === ''))
      throw createUsageError(`option ${option} needs a value: ${usage}`, help);
    given.set(option, value);
  }
  return given;
}

function createUsageError(message: string, help: string): AgentError {
  return new AgentError(message, { code: 'BAD_USAGE', hint: `run: ${help}` });
}

function formatHelp(line: CommandLine<unknown>, name = ''): string {
  const isCommand = Object.hasOwn(line.commands, name);
  return `${(isCommand ? formatCommandHelp(line, name) : formatProgramHelp(line)).join('\n')}\n`;
}

function formatCommandHelp({ program, commands }: CommandLine<unknown>, name: string): string[] {
  const { doc, options = {} } = commands[name]!;
  const usage = [program, name, ...Object.keys(options).map((option) => `[${option}]`)].join(' ');
  return [`usage: ${usage}`, '', toSentence(doc), '', 'Options:', ...formatColumns({ ...options, ...HELP_OPTIONS })];
}

function formatProgramHelp({ program, commands }: CommandLine<unknown>): string[] {
  const docs = Object.entries(commands).map(([name, { doc }], index) => [name, index === 0 ? `${doc} (default)` : doc]);
  return [
    `usage: ${program} [command] [options]`,
    '',
    'Commands:',
    ...formatColumns({
      ...(Object.fromEntries(docs) as CommandOptions),
      help: 'print this help, or that of a command',
    }),
    '',
    'Options:',
    ...formatColumns({ ...HELP_OPTIONS, '--version': 'print the version and exit' }),
    '',
    `Run "${program} help COMMAND" for the options of a command.`,
    'Configuration comes from environment variables; check-config prints them all.',
    'Exit codes: 0 success, 1 failure, 2 bad usage, 75 another instance is running, 78 bad configuration.',
  ];
}

function formatColumns(docs: Readonly<Record<string, string>>): string[] {
  return Object.entries(docs).map(([name, doc]) => `  ${name.padEnd(NAME_WIDTH)}${doc}`);
}

function toSentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}
