import type { Clock } from './clock.ts';
import { isLocked } from './database/write-lock.ts';
import { isEnvironmentError, toErrorMessage } from './errors.ts';
import { toErrorFields, type LogFields, type Logger } from './logging/logger.ts';
import { ticks, type TickerOptions } from './ticker.ts';

/** Something that is done again and again. */
export interface RecurringTask {
  /** What it means if it fails, for the log: `cannot store the uploader report`. */
  readonly message: string;
  /** What distinguishes it from other tasks with this message, for the log. */
  readonly fields?: LogFields;
  readonly work: () => void | Promise<void>;
}

/** A task that failed the last time. */
export interface TaskFailure {
  readonly message: string;
  readonly reason: string;
}

interface Failure extends TaskFailure {
  /** By the monotonic clock. */
  readonly since: number;
}

export interface RecurringWorkOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  /** Called with the error of each attempt that fails. */
  readonly onFailure?: (error: unknown) => void;
}

/**
 * Does work on timers, whose errors nobody else would catch: a failure is logged once, with the stack of an unexpected
 * error, kept for health, and ends neither the timer nor the program. The next tick tries again. Another program's lock on
 * the database is no failure of the work: whoever commits reports it.
 */
export class RecurringWork {
  readonly #options: RecurringWorkOptions;
  readonly #failures = new Map<string, Failure>();

  constructor(options: RecurringWorkOptions) {
    this.#options = options;
  }

  /** The failures that have not ended. */
  get failures(): readonly TaskFailure[] {
    return [...this.#failures.values()];
  }

  /** Does a task with each tick until `stop` is aborted. */
  async run(task: RecurringTask, ticker: TickerOptions): Promise<void> {
    for await (const _ of ticks(this.#options.clock, ticker)) await this.attempt(task);
  }

  /** Does a task once; never rejects. */
  async attempt(task: RecurringTask): Promise<void> {
    try {
      await task.work();
    } catch (error) {
      if (!isLocked(error)) this.#fail(task, error);
      return;
    }
    this.#succeed(task);
  }

  #fail({ message, fields }: RecurringTask, error: unknown): void {
    const { clock, logger, onFailure } = this.#options;
    onFailure?.(error);
    const key = toKey(message, fields);
    const before = this.#failures.get(key);
    const reason = toErrorMessage(error);
    this.#failures.set(key, { message, reason, since: before?.since ?? clock.monotonic() });
    if (before?.reason === reason) return;
    logger[isEnvironmentError(error) ? 'warn' : 'error'](message, { ...fields, ...toErrorFields(error) });
  }

  #succeed({ message, fields }: RecurringTask): void {
    const { clock, logger } = this.#options;
    const key = toKey(message, fields);
    const failure = this.#failures.get(key);
    if (failure === undefined) return;
    this.#failures.delete(key);
    const { reason, since } = failure;
    const duration = { duration_ms: Math.round(clock.monotonic() - since) };
    logger.info('background work recovered', { ...fields, after: message, reason, ...duration });
  }
}

function toKey(message: string, fields: LogFields = {}): string {
  return `${message} ${JSON.stringify(fields)}`;
}
