import winston from 'winston';

import { AgentError, codeOf, messageOf } from './errors.js';

/** Levels, most severe first. */
export type LogLevel = 'error' | 'warn' | 'info' | 'debug';
export type LogFormat = 'json' | 'console';
export type LogFields = Readonly<Record<string, unknown>>;

/** What the rooms know of logging. */
export interface Logger {
  error(message: string, fields?: LogFields): void;
  warn(message: string, fields?: LogFields): void;
  info(message: string, fields?: LogFields): void;
  debug(message: string, fields?: LogFields): void;
  /** A logger whose every line bears `fields`. */
  child(fields: LogFields): Logger;
}

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Begin each line with its syslog priority, as journald reads it (sd-daemon(3)): `<4>`. */
  readonly journal: boolean;
  readonly stream: NodeJS.WritableStream;
  /** On every line: `session_id`. */
  readonly fields: LogFields;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 };
/** syslog(3): 3 error, 4 warning, 6 informational, 7 debug. */
const syslogPriorities: Readonly<Record<string, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
/** journald splits a line of more than 48 KiB (LineMax), older ones at 32 KiB; half a line parses no more. */
const MAX_LINE_BYTES = 32 * 1024 - 256;
/** A field longer than this is cut when the whole line is too long. */
const MAX_FIELD_LENGTH = 1024;

/** The one place that makes a logger: winston, one line an event. */
export function createLogger(options: LoggerOptions): Logger {
  const { format, journal } = options;
  const line = winston.format.printf((info) => {
    const { level, message, ...fields } = info;
    const text =
      format === 'json' ? jsonLine(level, String(message), fields) : consoleLine(level, String(message), fields);
    return journal ? `<${syslogPriorities[level]}>${text}` : text;
  });
  const logger = winston.createLogger({
    levels,
    level: options.level,
    defaultMeta: options.fields,
    transports: [new winston.transports.Stream({ stream: options.stream, format: line })],
  });
  return logger;
}

/** `auto` resolved: people at a terminal get the console format, everything else JSON. */
export function resolveLogFormat(format: LogFormat | 'auto', isTerminal: boolean): LogFormat {
  return format === 'auto' ? (isTerminal ? 'console' : 'json') : format;
}

/** The fields that describe a failure; `stack` only where nobody foresaw it. */
export function errorFields(error: unknown): LogFields {
  const expected = error instanceof AgentError;
  return {
    error: messageOf(error),
    error_type: error instanceof Error ? error.name : typeof error,
    error_code: codeOf(error),
    ...(expected && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(!expected && error instanceof Error ? { stack: error.stack } : {}),
  };
}

function jsonLine(level: string, msg: string, fields: LogFields): string {
  const record = { time: new Date().toISOString(), level, msg, ...fields };
  const text = JSON.stringify(record);
  if (Buffer.byteLength(text) <= MAX_LINE_BYTES) return text;
  return JSON.stringify(record, (_key, value: unknown) =>
    typeof value === 'string' && value.length > MAX_FIELD_LENGTH ? `${value.slice(0, MAX_FIELD_LENGTH)}…` : value,
  ).slice(0, MAX_LINE_BYTES);
}

function consoleLine(level: string, msg: string, { session_id: _, ...fields }: LogFields): string {
  const pairs = Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  return [new Date().toISOString().slice(11, 23), level.toUpperCase().padEnd(5), msg, ...pairs].join(' ');
}
