/** What the commands of a program are: help, completion and manual pages are made of it, and arguments are parsed by it. */

/** What an option takes after its name. */
export interface OptionValue {
  /** As it stands in the help: `TIME`. */
  readonly name: string;
  /** How it may be written: an example of each form, with what that means. */
  readonly forms: readonly (readonly [example: string, meaning: string])[];
  /** The forms that are fixed words. */
  readonly words?: readonly string[];
}

export interface CommandOption {
  readonly doc: string;
  /** Missing for one that takes none. */
  readonly value?: OptionValue;
  readonly isRequired?: boolean;
}

/** By name, `--json`. */
export type CommandOptions = Readonly<Record<string, CommandOption>>;

export interface CommandDescription {
  /** What it does, in a line that begins with a verb. */
  readonly doc: string;
  /** More of it, in sentences. */
  readonly details?: string;
  readonly options?: CommandOptions;
  /** Those that mean something of its own; the others are EXIT_CODES. */
  readonly exitCodes?: Readonly<Record<number, string>>;
  /** Arguments, with what they are for. */
  readonly examples: Readonly<Record<string, string>>;
}

/** A program and its commands by name; the first one runs if the arguments name none. */
export interface ProgramTable<Name extends string = string> {
  readonly program: string;
  /** What the program does, in a line that begins with a verb in the third person. */
  readonly summary: string;
  readonly commands: Readonly<Record<Name, CommandDescription>>;
}

/** What every program and command answers. */
export const HELP_OPTION: CommandOptions = { '--help': { doc: 'print this help and exit; also -h' } };
/** What a program answers without a command. */
export const PROGRAM_OPTIONS: CommandOptions = { ...HELP_OPTION, '--version': { doc: 'print the version and exit' } };
export const HELP_COMMAND = { name: 'help', doc: 'print this help, or that of a command' };

/** The meanings of exit codes, unless a command has its own. */
export const EXIT_CODES: Readonly<Record<number, string>> = {
  0: 'success',
  1: 'failure',
  2: 'bad usage',
  75: 'another instance is running on the same database',
  78: 'bad configuration',
};

/** Of both programs. */
export const CHECK_CONFIG = {
  doc: 'print every variable and where its value came from, and check those of both programs',
  details:
    'Passwords and tokens are masked. What is likely a mistake, such as an address that no known receiver has, is a warning on standard error.',
  options: { '--allow-unknown': { doc: 'exit with 0 also if THUGSHELLS_ variables are unknown' } },
  examples: { 'check-config': 'before a restart, with the variables of this shell' },
} satisfies CommandDescription;

/** Returns the option as it is typed: `--from TIME`. */
export function formatOption(name: string, { value }: CommandOption): string {
  return value === undefined ? name : `${name} ${value.name}`;
}

/** Returns the arguments of a command as a usage line has them: `verify --from TIME [--json]`. */
export function formatUsage(name: string, { options = {} }: CommandDescription): string {
  const words = Object.entries(options).map(([option, described]) => {
    const usage = formatOption(option, described);
    return described.isRequired === true ? usage : `[${usage}]`;
  });
  return [name, ...words].join(' ');
}

/** Returns the values that a command's options take, each once. */
export function listValues({ options = {} }: CommandDescription): OptionValue[] {
  return [...new Set(Object.values(options).flatMap(({ value }) => value ?? []))];
}
