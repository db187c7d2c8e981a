import { inspect } from 'node:util';

/** The parts of an AgentError besides its message. */
export interface AgentErrorOptions {
  /** Stable, in capitals with underscores; scripts and tests rely on it. */
  readonly code: string;
  /** What to do about it: an imperative sentence that an operator can carry out. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** One line of what is no error. */
const INSPECTION = { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 200 } as const;

/** An expected error with a stable code, its cause, and a hint for an operator. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: string;
  readonly hint: string | undefined;

  constructor(message: string, options: AgentErrorOptions) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = options.code;
    this.hint = options.hint;
  }
}

/** The exit codes of both programs; 78 and 75 are sysexits.h's EX_CONFIG and EX_TEMPFAIL, 3 is of commands that only read. */
export const ExitCode = {
  clean: 0,
  fault: 1,
  usage: 2,
  unreadable: 3,
  anotherInstance: 75,
  configuration: 78,
} as const;

/** Codes that end a program with something other than 1. */
const exitCodes: Readonly<Record<string, number>> = {
  BAD_USAGE: ExitCode.usage,
  BAD_CONFIGURATION: ExitCode.configuration,
  DATABASE_TOO_NEW: ExitCode.configuration,
  FILE_SYSTEM_UNSUPPORTED: ExitCode.configuration,
  ANOTHER_INSTANCE: ExitCode.anotherInstance,
  STATUS_UNREADABLE: ExitCode.unreadable,
  RECEIVER_UNREADABLE: ExitCode.unreadable,
  QUERY_REFUSED: ExitCode.unreadable,
  ANSWER_TOO_LONG: ExitCode.unreadable,
};

/** Returns the exit code of a program that `error` ends. */
export function toExitCode(error: unknown): number {
  return (error instanceof AgentError && exitCodes[error.code]) || ExitCode.fault;
}

/** Codes of SQLite, and of the system (errno(3)); those of Node.js itself have underscores. */
const ENVIRONMENT_CODE = /^(SQLITE_\w+|E[A-Z0-9]+)$/;

/** Returns whether an error comes from the disk, the database or the system, and not from a mistake in the program. */
export function isEnvironmentError(error: unknown): boolean {
  return error instanceof AgentError || ENVIRONMENT_CODE.test(toErrorCode(error) ?? '');
}

/**
 * Returns the message of anything that was thrown. An error of another thread may arrive as an object that is no Error, and
 * has lost what is not enumerable: what is left of it is better than `[object Object]`.
 */
export function toErrorMessage(error: unknown): string {
  const message = (error as { message?: unknown } | null | undefined)?.message;
  if (typeof message === 'string' && message !== '') return message;
  if (typeof error !== 'object' || error === null) return String(error);
  return toErrorCode(error) ?? (error instanceof Error ? error.name : inspect(error, INSPECTION));
}

/** Returns the system's or the library's code of anything that was thrown (`ENOENT`, `SQLITE_BUSY`), if it has one. */
export function toErrorCode(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}
