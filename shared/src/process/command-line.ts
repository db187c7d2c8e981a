import { suggest } from '../config/nearest.ts';
import { AgentError } from '../errors.ts';
import { formatCommandHelp, formatProgramHelp } from './command-help.ts';
import {
  formatOption,
  HELP_COMMAND,
  HELP_OPTION,
  PROGRAM_OPTIONS,
  type CommandOptions,
  type ProgramTable,
} from './command-table.ts';
import { readVersion } from './version.ts';

/** The options that were given, by their names. */
export interface GivenOptions extends ReadonlySet<string> {
  /** Returns the value of an option that takes one; undefined if it was not given. */
  value(name: string): string | undefined;
}

/** What runs each command of a table. */
export type CommandHandlers<Name extends string, Result> = Readonly<Record<Name, (given: GivenOptions) => Result>>;

/**
 * Runs the handler of the command that the arguments name. `help`, `--help` and `-h` return the help of the program, or of
 * the command beside them; `--version` returns the version.
 *
 * @throws AgentError BAD_USAGE for an unknown command, option or argument, and for an option without its value
 */
export function dispatch<Name extends string, Result>(
  table: ProgramTable<Name>,
  handlers: CommandHandlers<Name, Result>,
  args: readonly string[],
): Result | { readonly text: string } {
  const [first, ...rest] = args[0]?.startsWith('-') === false ? args : ['', ...args];
  if (first === '' && rest[0] === '--version') return { text: `${table.program} ${readVersion()}\n` };
  const isHelp = first === HELP_COMMAND.name;
  if (isHelp || args.includes('--help') || args.includes('-h'))
    return { text: formatHelp(table, isHelp ? rest.find((word) => !word.startsWith('-')) : first) };
  const isNamed = first !== '' && first !== undefined;
  const name = isNamed ? findCommand(table, first) : (Object.keys(table.commands)[0] as Name);
  const given = parseOptions(table, name, { args: rest, others: isNamed ? {} : PROGRAM_OPTIONS });
  return handlers[name](Object.assign(new Set(given.keys()), { value: (option: string) => given.get(option) }));
}

function formatHelp(table: ProgramTable, name = ''): string {
  if (name === '' || name === HELP_COMMAND.name) return formatProgramHelp(table);
  return formatCommandHelp(table, findCommand(table, name));
}

function findCommand<Name extends string>({ program, commands }: ProgramTable<Name>, name: string): Name {
  if (Object.hasOwn(commands, name)) return name as Name;
  const guess = suggest(name, [...Object.keys(commands), HELP_COMMAND.name]);
  throw createUsageError(`unknown command "${name}"${guess}`, `${program} --help`);
}

/** The arguments behind a command, and the options that are no command's and may be meant by a mistyped one. */
interface OptionArguments {
  readonly args: readonly string[];
  readonly others: CommandOptions;
}

/** Parses `--from T`, `--from=T` and `--json`. */
function parseOptions(
  { program, commands }: ProgramTable,
  name: string,
  { args, others }: OptionArguments,
): Map<string, string | undefined> {
  const options = commands[name]?.options ?? {};
  const known = Object.keys({ ...options, ...HELP_OPTION, ...others });
  const help = `${program} ${name} --help`;
  const given = new Map<string, string | undefined>();
  for (let index = 0; index < args.length; index++) {
    const [option = '', attached] = args[index]!.split(/=(.*)/s, 2);
    if (!Object.hasOwn(options, option)) {
      const what = option.startsWith('-') ? `unknown option ${option}` : `unexpected argument "${args[index]}"`;
      throw createUsageError(`${what}${suggest(option, known)}`, help);
    }
    const described = options[option]!;
    const takesValue = described.value !== undefined;
    if (attached !== undefined && !takesValue) throw createUsageError(`option ${option} takes no value`, help);
    const value = takesValue ? (attached ?? args[(index += 1)]) : undefined;
    if (takesValue && (value === undefined || value === ''))
      throw createUsageError(`option ${option} needs a value: ${formatOption(option, described)}`, help);
    given.set(option, value);
  }
  return given;
}

function createUsageError(message: string, help: string): AgentError {
  return new AgentError(message, { code: 'BAD_USAGE', hint: `run: ${help}` });
}
