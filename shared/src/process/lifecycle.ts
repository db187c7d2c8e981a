import { setMaxListeners } from 'node:events';
import { constants, openSync } from 'node:fs';
import process from 'node:process';

import { v7 as timeOrderedUuid } from 'uuid';

import { systemClock as clock } from '../clock.ts';
import { AgentError, ExitCode, toErrorCode, toErrorMessage, toExitCode } from '../errors.ts';
import { LogOutput } from '../logging/log-output.ts';
import {
  createLogger,
  toErrorFields,
  resolveLogFormat,
  type LogFormat,
  type Logger,
  type LogLevel,
  type ProcessLogger,
} from '../logging/logger.ts';
import { escapeControls, escapeLines } from '../printable.ts';
import { endProcess } from './end-process.ts';
import { ServiceManager } from './service-manager.ts';
import { createNotifier } from './systemd.ts';
import { mayHaveColors } from './terminal.ts';

/** Resources that are released in the reverse of the order in which they were added. */
export class ResourceStack {
  readonly #steps: { readonly name: string; readonly release: () => void | Promise<void> }[] = [];

  /** Adds a resource and how to release it; returns the resource. */
  add<T>(name: string, resource: T, release: (resource: T) => void | Promise<void>): T {
    this.#steps.push({ name, release: () => release(resource) });
    return resource;
  }

  /** Releases everything, newest first; a failure of one resource does not keep the others from being released. */
  async releaseAll(onFailure: (name: string, error: unknown) => void): Promise<void> {
    for (let step = this.#steps.pop(); step !== undefined; step = this.#steps.pop()) {
      try {
        await step.release();
      } catch (error) {
        onFailure(step.name, error);
      }
    }
  }
}

/**
 * Creates the logger of this process on its standard output, and the id of its session, which is on every line.
 * Under journald (systemd.exec(5), $JOURNAL_STREAM) lines begin with their priority.
 */
export function createProcessLogger(config: { readonly logLevel: LogLevel; readonly logFormat: LogFormat | 'auto' }): {
  readonly logger: ProcessLogger;
  readonly sessionId: string;
} {
  const sessionId = timeOrderedUuid();
  const logger = createLogger({
    level: config.logLevel,
    format: resolveLogFormat(config.logFormat, process.stdout.isTTY),
    // A terminal that was started by a unit of the user has the variable as well.
    beginsWithPriority: process.env['JOURNAL_STREAM'] !== undefined && !process.stdout.isTTY,
    isColored: mayHaveColors(process.stdout.isTTY, process.env),
    output: new LogOutput({ descriptor: openLogDescriptor() }),
    fields: { session_id: sessionId },
  });
  return { logger, sessionId };
}

/**
 * Returns a descriptor of standard output whose writes do not wait. Node has set O_NONBLOCK on a pipe or a socket when
 * process.stdout was created. A terminal is opened again for it: the shell has the same open file description, and one that
 * was stopped by Ctrl-S, or whose connection hangs, would hold the program.
 */
function openLogDescriptor(): number {
  const { fd, isTTY } = process.stdout;
  if (!isTTY) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    // Another user's terminal, as after su(1), or no Linux.
    return fd;
  }
}

/** Creates a signal that the first SIGTERM, SIGINT or SIGHUP aborts: all of them are an orderly stop. */
export function createStopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  // Every loop sleeps with it: more than ten listeners are no leak.
  setMaxListeners(0, controller.signal);
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
    process.once(name, () => {
      logger.info('stopping', { signal: name });
      controller.abort();
    });
  }
  return controller.signal;
}

/** Lets SIGUSR2 switch the log level to debug, and back to the configured one. */
function adjustLevelBySignal(logger: ProcessLogger): void {
  const configured = logger.level;
  process.on('SIGUSR2', () => {
    const to = logger.level !== 'debug' ? 'debug' : configured === 'debug' ? 'info' : configured;
    // Logged at the level debug: who sent the signal wants to see that it worked.
    logger.level = 'debug';
    logger.info('log level changed', { to, signal: 'SIGUSR2' });
    logger.level = to;
  });
}

/** An error has a line or some; a configuration may have as many as there are variables. */
const MAX_ERROR_LENGTH = 16 * 1024;
/** The colors of `status` (ECMA-48, SGR), which a text of somebody else cannot bring: it is escaped where it is put in. */
// eslint-disable-next-line no-control-regex
const COLOR = /(\u001b\[\d*m)/;

/** Releasing may take this long before the process ends all the same. */
const RELEASE_TIMEOUT_MS = 10_000;

/**
 * Runs a service until it returns, releases its resources, and ends the process with its exit code. An unexpected error
 * is logged with its stack, and the process ends with 1. The service itself reports when it is ready.
 */
export async function runService(
  logger: ProcessLogger,
  service: (resources: ResourceStack, stop: AbortSignal, manager: ServiceManager) => Promise<void>,
): Promise<never> {
  const resources = new ResourceStack();
  let exitCode: number = ExitCode.clean;
  ignoreStreamErrors();
  const manager = new ServiceManager({ notify: createNotifier(process.env, logger), environment: process.env, clock });
  adjustLevelBySignal(logger);
  process.once('uncaughtException', (error) => {
    logger.flush();
    logger.error('uncaught exception', { ...toErrorFields(error), stack: error.stack });
    logger.journal.saveNow();
    endProcess(ExitCode.fault);
  });
  try {
    const stop = createStopSignal(logger);
    stop.addEventListener('abort', () => manager.reportStopping(), { once: true });
    await service(resources, stop, manager);
  } catch (error) {
    exitCode = toExitCode(error);
    logger.error(error instanceof AgentError ? 'program ended by an error' : 'unexpected error', toErrorFields(error));
  }
  void clock.sleep(RELEASE_TIMEOUT_MS).then(() => endProcess(exitCode || ExitCode.fault));
  await resources.releaseAll((name, error) => {
    exitCode ||= ExitCode.fault;
    logger.error('cannot release resource', { resource: name, ...toErrorFields(error) });
  });
  logger.flush();
  logger.info('stopped', { exit_code: exitCode });
  await logger.drain();
  endProcess(exitCode);
}

/** Work whose resources are released when it ends; `end` stops it alone. */
export type ScopedWork = (resources: ResourceStack, stop: AbortSignal, end: () => void) => Promise<void>;

/**
 * Runs work that may be started again while the service goes on: its resources are released when it ends, by itself or
 * with the service.
 */
export async function runScope(logger: Logger, stop: AbortSignal, work: ScopedWork): Promise<void> {
  const resources = new ResourceStack();
  const ending = new AbortController();
  const end = (): void => ending.abort();
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  try {
    await work(resources, ending.signal, end);
  } finally {
    end();
    stop.removeEventListener('abort', end);
    await resources.releaseAll((name, error) =>
      logger.error('cannot release resource', { resource: name, ...toErrorFields(error) }),
    );
  }
}

/** The result of a short command. */
export interface CommandResult {
  /** For standard output. */
  readonly text?: string;
  /** One line each for standard error. */
  readonly problems?: readonly string[];
  readonly exitCode?: number;
}

/** Runs a short command, prints its text or its error with the hint, and ends the process with its exit code. */
export async function runCommand(command: () => Promise<CommandResult> | CommandResult): Promise<never> {
  ignoreStreamErrors();
  try {
    const { text = '', exitCode = ExitCode.clean, problems = [] } = await command();
    for (const problem of problems) process.stderr.write(`${escapeControls(cut(problem))}\n`);
    await print(text);
    endProcess(exitCode);
  } catch (error) {
    const lines =
      error instanceof AgentError
        ? [error.message, error.hint]
        : [error instanceof Error ? error.stack : toErrorMessage(error)];
    process.stderr.write(`${escapeLines(cut(lines.filter(Boolean).join('\nhint: ')))}\n`);
    endProcess(toExitCode(error));
  }
}

/** Returns the beginning of an error that holds a long text of somebody else. */
function cut(text: string): string {
  return text.length > MAX_ERROR_LENGTH ? `${text.slice(0, MAX_ERROR_LENGTH)}…` : text;
}

/** A program goes on if it cannot print: without a listener, the error of a stream would end it. */
function ignoreStreamErrors(): void {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => undefined);
}

/**
 * Prints the text of a command. It is no failure if nobody reads the rest of it, as with `| head -1`.
 *
 * @throws AgentError OUTPUT_UNWRITABLE
 */
async function print(text: string): Promise<void> {
  const printed = text
    .split(COLOR)
    .map((part, at) => (at % 2 === 1 ? part : escapeLines(part)))
    .join('');
  const error = await new Promise<unknown>((resolve) => process.stdout.write(printed, resolve));
  if (!error || toErrorCode(error) === 'EPIPE') return;
  throw new AgentError(`cannot write to standard output: ${toErrorMessage(error)}`, {
    code: 'OUTPUT_UNWRITABLE',
    hint: 'check the disk or the device that the output goes to',
    cause: error,
  });
}
