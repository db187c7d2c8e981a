import type { LogFields, Logger, LogLevel } from '@thugshells/shared/logging/logger.ts';

/** A logger that keeps what it is told. */
export class RecordedLog implements Logger {
  readonly lines: { readonly level: LogLevel; readonly message: string; readonly fields: LogFields }[] = [];

  error = this.#at('error');
  warn = this.#at('warn');
  info = this.#at('info');
  debug = this.#at('debug');

  child(): Logger {
    return this;
  }

  /** `warn: collector failing`, of these levels. */
  said(...levels: LogLevel[]): string[] {
    return this.lines.filter(({ level }) => levels.includes(level)).map(({ level, message }) => `${level}: ${message}`);
  }

  #at(level: LogLevel) {
    return (message: string, fields: LogFields = {}): void => void this.lines.push({ level, message, fields });
  }
}
