import { AgentError } from '../errors.ts';

/** One thing that a program can be told to do. */
export interface Command<Result> {
  /** What --help says of it. */
  readonly doc: string;
  /** Options it takes, such as `--json`, or `--from T` for one that takes a value. */
  readonly options?: readonly string[];
  readonly run: (options: GivenOptions) => Result;
}

/** The options that were given, by their names. */
export interface GivenOptions extends ReadonlySet<string> {
  /** The value of an option that takes one. */
  value(name: string): string | undefined;
}

/** The first command is the one that runs where none is named. */
export type Commands<Result> = Readonly<Record<string, Command<Result>>>;

/**
 * Runs the command that the arguments name; `--help` prints what there is.
 *
 * @throws AgentError BAD_USAGE for an unknown command or option
 */
export function dispatch<Result>(
  program: string,
  commands: Commands<Result>,
  args: readonly string[],
): Result | { readonly text: string } {
  if (args.includes('--help') || args.includes('-h')) return { text: `${usage(program, commands)}\n` };
  const [first = '', ...rest] = args[0]?.startsWith('-') === true ? ['', ...args] : args;
  const name = first === '' ? Object.keys(commands)[0]! : first;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) throw badUsage(`unknown command "${name}"`, program, commands);
  const given = new Map<string, string | undefined>();
  for (let index = 0; index < rest.length; index++) {
    // Both --from T and --from=T are written.
    const [option = '', attached] = rest[index]!.split(/=(.*)/s, 2);
    const declared = command.options?.find((known) => known.split(' ')[0] === option);
    const takesValue = declared?.includes(' ') === true;
    if (declared === undefined || (attached !== undefined && !takesValue))
      throw badUsage(`${name} does not take "${rest[index]}"`, program, commands);
    const value = takesValue ? (attached ?? rest[(index += 1)]) : undefined;
    if (takesValue && (value === undefined || value === ''))
      throw badUsage(`${name} needs a value for ${declared}`, program, commands);
    given.set(option, value);
  }
  return command.run(Object.assign(new Set(given.keys()), { value: (option: string) => given.get(option) }));
}

function badUsage(message: string, program: string, commands: Commands<unknown>): AgentError {
  return new AgentError(`${message}\n\n${usage(program, commands)}`, { code: 'BAD_USAGE' });
}

function usage(program: string, commands: Commands<unknown>): string {
  const lines = Object.entries(commands).map(([name, { doc, options = [] }], index) => {
    const words = [name, ...options.map((option) => `[${option}]`)].join(' ');
    // The description of a command with many options stands on a line of its own.
    const beginning = words.length < 18 ? words.padEnd(18) : `${words}\n${' '.repeat(20)}`;
    return `  ${beginning}${doc}${index === 0 ? ' (what runs where no command is named)' : ''}`;
  });
  return [
    `usage: ${program} [command]`,
    '',
    ...lines,
    '',
    'Configuration comes from environment variables; check-config prints them all.',
    'Exit codes: 0 clean, 1 unexpected fault, 2 bad usage, 75 another instance is at work, 78 bad configuration.',
  ].join('\n');
}
