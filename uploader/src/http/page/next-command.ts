/** A message of a component, apart from the command that it names. */
export interface Advice {
  readonly text: string;
  /** What to run next. */
  readonly command: string;
}

/** By component, for messages that name no command. */
const COMMANDS: Readonly<Record<string, string>> = {
  uploader: 'thugshells-uploader test',
  delivery: 'thugshells-uploader verify --help',
  time: 'timedatectl',
  configuration: 'thugshells-uploader check-config',
};
const COLLECTOR_LOG = 'journalctl -u thugshells-collector';

/** Separates the command that a message names; a message without one gets the command that looks into its component. */
export function findAdvice(component: string, message: string): Advice {
  const named = /\brun: ([^;()]+)/.exec(message)?.[1]?.trim();
  const text = message.replace(/; run: [^;()]+$/, '');
  return { text, command: named ?? COMMANDS[component] ?? COLLECTOR_LOG };
}
