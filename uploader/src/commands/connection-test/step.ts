/** The steps of a connection test, in their order, with the exit code of each for `--step-code`. */
export const STEP_CODES = {
  files: 10,
  name: 11,
  connection: 12,
  proxy: 13,
  tls: 14,
  receiver: 15,
  authentication: 16,
  path: 17,
  write: 18,
  clock: 19,
  'read side': 20,
} as const;

export type StepName = keyof typeof STEP_CODES;

/** What a step came to. */
export interface StepResult {
  readonly step: StepName;
  /** `skipped`: there is nothing to be tested, or the receiver does not show it. */
  readonly status: 'passed' | 'failed' | 'skipped';
  /** What was found, or what is wrong and what to do. */
  readonly message: string;
  /** What to do about a failed step, which the message ends with. */
  readonly remedy?: string | undefined;
}

export function passed(step: StepName, message: string): StepResult {
  return { step, status: 'passed', message };
}

export function skipped(step: StepName, message: string): StepResult {
  return { step, status: 'skipped', message };
}

/** @param remedy an imperative sentence with the variable; undefined if the reason has it or nobody knows one */
export function failed(step: StepName, reason: string, remedy?: string): StepResult {
  const message = remedy === undefined || reason.includes(remedy) ? reason : `${reason}; ${remedy}`;
  return { step, status: 'failed', message, remedy };
}

/** Whether an error of a connection is the proxy's, by its code. */
export function isOfProxy(errorCode: string | undefined): boolean {
  return ['PROXY_REFUSED', 'PROXY_TLS', 'TUNNEL_FAILED'].includes(errorCode ?? '');
}
