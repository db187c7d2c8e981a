import type { ComponentHealth, HealthReason } from '../../health/component-health.ts';

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
/** A message of these needs no command. */
const WITHOUT_COMMAND: ReadonlySet<HealthReason | undefined> = new Set(['backlog', 'starting'] as const);

/** Separates the command that a message names; a message without one gets the command that looks into its component. */
export function findAdvice(
  component: string,
  { message, reason }: Pick<ComponentHealth, 'message' | 'reason'>,
): Advice {
  const named = /\brun: ([^;()]+)/.exec(message)?.[1]?.trim();
  const text = message.replace(/ \(run: [^()]+\)|; run: [^;()]+/, '');
  if (named === undefined && WITHOUT_COMMAND.has(reason)) return { text };
  return { text, command: named ?? COMMANDS[component] ?? COLLECTOR_LOG };
}
