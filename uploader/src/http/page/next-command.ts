import type { ComponentHealth } from '../../health/component-health.ts';

/** A message of a component, apart from the command that it names. */
export interface Advice {
  readonly text: string;
  /** What to run next; missing if there is nothing to run. */
  readonly command?: string;
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
export function findAdvice(
  component: string,
  { message, reason }: Pick<ComponentHealth, 'message' | 'reason'>,
): Advice {
  const named = /\brun: ([^;()]+)/.exec(message)?.[1]?.trim();
  const text = message.replace(/ \(run: [^()]+\)|; run: [^;()]+/, '');
  // Either there is nothing to do, or the message names variables.
  if (reason === 'backlog') return { text };
  return { text, command: named ?? COMMANDS[component] ?? COLLECTOR_LOG };
}
