/** Completion of the programs' commands in shells, made of the tables that help is made of. */
import {
  HELP_COMMAND,
  HELP_OPTION,
  PROGRAM_OPTIONS,
  type CommandOption,
  type ProgramTable,
} from '../../shared/src/process/command-table.ts';

/** The completion of a program for one shell, and where Debian's package of that shell looks for it. */
export interface CompletionFile {
  readonly path: string;
  readonly text: string;
}

/** Commands with what they do, `help` included. */
type CommandList = readonly (readonly [name: string, doc: string])[];

/** Creates the files by which bash, zsh and fish complete the commands of a program. */
export function createCompletions(table: ProgramTable): CompletionFile[] {
  const { program } = table;
  return [
    { path: `usr/share/bash-completion/completions/${program}`, text: toBash(table) },
    { path: `usr/share/zsh/vendor-completions/_${program}`, text: toZsh(table) },
    { path: `usr/share/fish/vendor_completions.d/${program}.fish`, text: toFish(table) },
  ];
}

function listCommands({ commands }: ProgramTable): CommandList {
  return [
    ...Object.entries(commands).map(([name, { doc }]) => [name, doc] as const),
    [HELP_COMMAND.name, HELP_COMMAND.doc],
  ];
}

/** Returns the options of a command, `--help` included. */
function listOptions({ commands }: ProgramTable, name: string): [string, CommandOption][] {
  return Object.entries({ ...commands[name]?.options, ...HELP_OPTION });
}

function toBash(table: ProgramTable): string {
  const { program, commands } = table;
  const functionName = `_${program.replaceAll('-', '_')}`;
  const names = listCommands(table).map(([name]) => name);
  const values = Object.keys(commands).flatMap((name) =>
    listOptions(table, name).flatMap(([option, { value }]) =>
      value === undefined ? [] : [`    ${name}:${option}) words='${(value.words ?? []).join(' ')}' ;;`],
    ),
  );
  const options = Object.keys(commands).map((name) => {
    const words = listOptions(table, name).map(([option]) => option);
    return `    ${name}:*) words='${words.join(' ')}' ;;`;
  });
  const first = [...names, ...Object.keys(PROGRAM_OPTIONS)];
  return `# Completion of ${program} for bash.
${functionName}() {
  local word command='' words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == -* ]] || { command=$word; break; }
  done
  case $command:$3 in
${[...values, ...options].join('\n')}
    ${HELP_COMMAND.name}:*) words='${names.join(' ')}' ;;
    :*) words='${first.join(' ')}' ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}
complete -F ${functionName} ${program}
`;
}

function toZsh(table: ProgramTable): string {
  const { program, commands } = table;
  const described = listCommands(table).map(([name, doc]) => `    ${quote(`${name}:${doc}`)}`);
  const cases = Object.keys(commands).map((name) => {
    const specs = listOptions(table, name).map(([option, { doc, value }]) => {
      const action = value === undefined ? '' : `:${value.name}:(${(value.words ?? []).join(' ')})`;
      return quote(`${option}[${doc.replace(/[[\]:\\]/g, '\\$&')}]${action}`);
    });
    return `    ${name}) _arguments ${specs.join(' ')} ;;`;
  });
  const ofProgram = Object.entries(PROGRAM_OPTIONS).map(([name, { doc }]) => quote(`${name}[${doc}]`));
  return `#compdef ${program}
local curcontext=$curcontext state line
local -a commands=(
${described.join('\n')}
)
_arguments -C ${ofProgram.join(' ')} '1:command:->command' '*::argument:->argument'
case $state in
command) _describe command commands ;;
argument)
  case $words[1] in
${cases.join('\n')}
    ${HELP_COMMAND.name}) _describe command commands ;;
  esac
  ;;
esac
`;
}

function toFish(table: ProgramTable): string {
  const { program, commands } = table;
  const names = listCommands(table).map(([name]) => name);
  const none = `not __fish_seen_subcommand_from ${names.join(' ')}`;
  const complete = (condition: string, rest: string): string => `complete -c ${program} -n '${condition}' ${rest}`;
  const toOption = (condition: string, [option, { doc, value }]: [string, CommandOption]): string => {
    const takes = value === undefined ? '' : ` -x -a '${(value.words ?? []).join(' ')}'`;
    return complete(condition, `-l ${option.slice(2)}${takes} -d ${quote(doc)}`);
  };
  const lines = [
    ...listCommands(table).map(([name, doc]) => complete(none, `-a ${name} -d ${quote(doc)}`)),
    ...Object.entries(PROGRAM_OPTIONS).map((option) => toOption(none, option)),
    ...Object.keys(commands).flatMap((name) =>
      listOptions(table, name).map((option) => toOption(`__fish_seen_subcommand_from ${name}`, option)),
    ),
    complete(
      `__fish_seen_subcommand_from ${HELP_COMMAND.name}; and test (count (commandline -opc)) -eq 2`,
      `-a '${names.join(' ')}'`,
    ),
  ];
  return `# Completion of ${program} for fish.\ncomplete -c ${program} -f\n${lines.join('\n')}\n`;
}

/** Quotes a word for a shell; all three end a quoted part, escape the quote, and begin another. */
function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
