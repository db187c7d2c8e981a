/** Levels, most severe first. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'json' | 'console';
export type LogFields = Readonly<Record<string, unknown>>;

/** Logging as the modules see it. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose every line bears `fields`. */
  child(fields: LogFields): Logger;
}
