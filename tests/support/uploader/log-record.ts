import type { LogFields, Logger, LogLevel } from '@thugshells/shared/logging/logger.ts';

export interface RecordedLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: LogFields;
}

/** A logger that keeps its lines, also those of its children. */
export class LogRecord implements Logger {
  readonly lines: RecordedLine[] = [];
  readonly #fields: LogFields;

  constructor(fields: LogFields = {}, lines: RecordedLine[] = []) {
    this.#fields = fields;
    this.lines = lines;
  }

  error(message: string, fields?: LogFields): void {
    this.#add('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#add('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#add('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#add('debug', message, fields);
  }

  child(fields: LogFields): Logger {
    return new LogRecord({ ...this.#fields, ...fields }, this.lines);
  }

  /** Returns the messages of some levels in order; all but debug by default. */
  messages(...levels: readonly LogLevel[]): string[] {
    const wanted = levels.length === 0 ? ['error', 'warn', 'info'] : levels;
    return this.lines.filter(({ level }) => wanted.includes(level)).map(({ message }) => message);
  }

  #add(level: LogLevel, message: string, fields: LogFields = {}): void {
    this.lines.push({ level, message, fields: { ...this.#fields, ...fields } });
  }
}
