import { setMaxListeners } from 'node:events';
import process from 'node:process';

import { v7 as timeOrderedUuid } from 'uuid';

import { systemClock as clock } from '../clock.ts';
import { AgentError, ExitCode, toExitCode } from '../errors.ts';
import {
  createLogger,
  toErrorFields,
  resolveLogFormat,
  type LogFormat,
  type Logger,
  type LogLevel,
  type ProcessLogger,
} from '../logging/logger.ts';
import { ServiceManager } from './service-manager.ts';
import { createNotifier } from './systemd.ts';

/** What must be released, in the reverse of the order in which it was taken. */
export class ResourceStack {
  readonly #steps: { readonly name: string; readonly release: () => void | Promise<void> }[] = [];

  /** Remembers how to release something; returns the thing. */
  add<T>(name: string, thing: T, release: (thing: T) => void | Promise<void>): T {
    this.#steps.push({ name, release: () => release(thing) });
    return thing;
  }

  /** Releases everything, newest first; a failure in one step keeps no other from running. */
  async run(onFailure: (name: string, error: unknown) => void): Promise<void> {
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
 * The logger of this process on its standard output, and the id of its session, which is on every line.
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
    journal: process.env['JOURNAL_STREAM'] !== undefined,
    stream: process.stdout,
    fields: { session_id: sessionId },
  });
  return { logger, sessionId };
}

/** A signal that is aborted by the first SIGTERM or SIGINT. */
export function createStopSignal(logger: Logger): AbortSignal {
  const controller = new AbortController();
  // Every loop waits with it: more than ten are no leak.
  setMaxListeners(0, controller.signal);
  for (const name of ['SIGTERM', 'SIGINT'] as const) {
    process.once(name, () => {
      logger.info('stopping', { signal: name });
      controller.abort();
    });
  }
  return controller.signal;
}

/** Makes SIGUSR2 change how much is logged: everything, and back to what was configured. */
function adjustLevelBySignal(logger: ProcessLogger): void {
  const configured = logger.level;
  process.on('SIGUSR2', () => {
    const to = logger.level !== 'debug' ? 'debug' : configured === 'debug' ? 'info' : configured;
    // Told while everything is shown: whoever asked for it wants to see that it worked.
    logger.level = 'debug';
    logger.info('log level changed', { to, signal: 'SIGUSR2' });
    logger.level = to;
  });
}

/** How long releasing may take before the process ends all the same. */
const RELEASE_DEADLINE_MS = 10_000;

/**
 * Runs a service until it returns, releases what it took, and ends the process with its exit code.
 * Whatever nobody foresaw is logged with its stack, then the process ends with 1. The service itself says when it is ready.
 */
export async function runService(
  logger: ProcessLogger,
  service: (releases: ResourceStack, stop: AbortSignal, manager: ServiceManager) => Promise<void>,
): Promise<never> {
  const releases = new ResourceStack();
  let exitCode: number = ExitCode.clean;
  const manager = new ServiceManager({ notify: createNotifier(process.env, logger), environment: process.env, clock });
  adjustLevelBySignal(logger);
  process.once('uncaughtException', (error) => {
    logger.flush();
    logger.error('uncaught exception', { ...toErrorFields(error), stack: error.stack });
    process.exit(ExitCode.fault);
  });
  try {
    const stop = createStopSignal(logger);
    stop.addEventListener('abort', () => manager.reportStopping(), { once: true });
    await service(releases, stop, manager);
  } catch (error) {
    exitCode = toExitCode(error);
    logger.error(error instanceof AgentError ? error.message : 'unexpected fault', toErrorFields(error));
  }
  setTimeout(() => process.exit(exitCode || ExitCode.fault), RELEASE_DEADLINE_MS).unref();
  await releases.run((name, error) => {
    exitCode ||= ExitCode.fault;
    logger.error(`releasing ${name} failed`, toErrorFields(error));
  });
  logger.flush();
  logger.info('stopped', { exit_code: exitCode });
  process.exit(exitCode);
}

/** A part of a service: takes what it needs, and may end itself. */
export type ScopedWork = (releases: ResourceStack, stop: AbortSignal, end: () => void) => Promise<void>;

/**
 * Runs a part of a service that may begin anew while the service runs on: everything that it took is released when it
 * ends, by itself or with the service.
 */
export async function runScope(logger: Logger, stop: AbortSignal, part: ScopedWork): Promise<void> {
  const releases = new ResourceStack();
  const ending = new AbortController();
  const end = (): void => ending.abort();
  if (stop.aborted) end();
  stop.addEventListener('abort', end, { once: true });
  try {
    await part(releases, ending.signal, end);
  } finally {
    end();
    stop.removeEventListener('abort', end);
    await releases.run((name, error) => logger.error(`releasing ${name} failed`, toErrorFields(error)));
  }
}

/** What a short command came to. */
export interface CommandResult {
  /** For standard output. */
  readonly text?: string;
  /** One line each for standard error. */
  readonly problems?: readonly string[];
  readonly exitCode?: number;
}

/** Runs a short command; prints an expected error and its hint for a person, and ends with its exit code. */
export async function runCommand(command: () => Promise<CommandResult> | CommandResult): Promise<never> {
  try {
    const { text = '', exitCode = ExitCode.clean, problems = [] } = await command();
    for (const problem of problems) process.stderr.write(`${problem}\n`);
    await new Promise((resolve) => process.stdout.write(text, resolve));
    process.exit(exitCode);
  } catch (error) {
    const lines = error instanceof AgentError ? [error.message, error.hint] : [(error as Error).stack];
    process.stderr.write(`${lines.filter(Boolean).join('\nhint: ')}\n`);
    process.exit(toExitCode(error));
  }
}
