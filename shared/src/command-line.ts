import { AgentError } from './errors.js';

/** One thing that a program can be told to do. */
export interface Command<Result> {
  /** What --help says of it. */
  readonly doc: string;
  /** Options it takes, such as `--json`. */
  readonly options?: readonly string[];
  readonly run: (options: ReadonlySet<string>) => Result;
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
  const unknown = rest.find((option) => command.options?.includes(option) !== true);
  if (unknown !== undefined) throw badUsage(`${name} does not take "${unknown}"`, program, commands);
  return command.run(new Set(rest));
}

function badUsage(message: string, program: string, commands: Commands<unknown>): AgentError {
  return new AgentError(`${message}\n\n${usage(program, commands)}`, { code: 'BAD_USAGE' });
}

function usage(program: string, commands: Commands<unknown>): string {
  const lines = Object.entries(commands).map(([name, { doc, options = [] }], index) => {
    const words = [name, ...options.map((option) => `[${option}]`)].join(' ');
    return `  ${words.padEnd(18)}${doc}${index === 0 ? ' (what runs where no command is named)' : ''}`;
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
