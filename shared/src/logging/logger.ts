import { Writable } from 'node:stream';
import { styleText } from 'node:util';

import winston from 'winston';

import { AgentError, toErrorCode, toErrorMessage } from '../errors.ts';
import { escapeControls, escapeLines } from '../printable.ts';
import { deduplicate, type DeduplicatingLogger } from './deduplication.ts';
import { Journal } from './journal.ts';
import type { LineOutput } from './log-output.ts';
import type { LogFields, LogFormat, Logger, LogLevel } from './types.ts';

export type { LogFields, LogFormat, Logger, LogLevel } from './types.ts';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: LogFormat;
  /** Begin each line with its syslog priority, as journald reads it (sd-daemon(3)): `<4>`. */
  readonly beginsWithPriority: boolean;
  /** Color the console format. */
  readonly isColored?: boolean;
  readonly output: LineOutput;
  /** On every line: `session_id`. */
  readonly fields: LogFields;
}

const levels = { error: 0, warn: 1, info: 2, debug: 3 };
/** syslog(3): 3 error, 4 warning, 6 informational, 7 debug. */
const syslogPriorities: Readonly<Record<string, number>> = { error: 3, warn: 4, info: 6, debug: 7 };
/** Of levels in the console format; time and names of fields are dim. */
const levelColors = { error: 'red', warn: 'yellow', info: 'green', debug: 'blue' } as const;
/** journald splits a line of more than 48 KiB (LineMax), older ones at 32 KiB; half a line parses no more. */
const MAX_LINE_BYTES = 32 * 1024 - 256;
/** A text longer than this is cut when the whole line is too long. */
const MAX_FIELD_LENGTH = 1024;
/** Bytes of `"fields_left_out":…`. */
const LEFT_OUT_BYTES = 40;
const UNPRINTABLE = 'cannot be printed';

/** The logger of a process, whose level can be changed at run time. */
export interface ProcessLogger extends DeduplicatingLogger {
  level: LogLevel;
  /** Its last warnings and errors, at any level. */
  readonly journal: Journal;
  /** Waits until a slow reader has read everything, a second at most; for the end of the process. */
  drain(): Promise<void>;
}

/** Creates a logger by winston, one line an event. */
export function createLogger(options: LoggerOptions): ProcessLogger {
  const { output } = options;
  const line = winston.format.printf(({ level, message, ...fields }) =>
    toLine(options, { level, message: String(message), fields }),
  );
  output.reportLostBy(
    ({ count, sinceMs, error }) =>
      `${toLine(options, { level: 'warn', message: 'log lines lost', fields: { count, since: new Date(sinceMs).toISOString(), error } })}\n`,
  );
  const logger = winston.createLogger({
    levels,
    level: options.level,
    defaultMeta: options.fields,
    // Of the logger, not of the transport: that would serialize every record by winston's own JSON format first.
    format: line,
    transports: [new winston.transports.Stream({ stream: toStream(output) })],
  });
  const journal = new Journal();
  const parts = { journal, drain: () => output.drain() };
  const wrapped = Object.assign(deduplicate(journal.wrap(wrapWinston(logger))), parts) as ProcessLogger;
  return Object.defineProperty(wrapped, 'level', {
    get: () => logger.level,
    set: (level: LogLevel) => (logger.level = level),
  });
}

/** Returns the stream that winston writes to: it takes each line at once. */
function toStream(output: LineOutput): Writable {
  return new Writable({
    decodeStrings: false,
    write: (line: string, _encoding, done) => {
      output.write(line);
      done();
    },
  });
}

interface LogEvent {
  readonly level: string;
  readonly message: string;
  readonly fields: LogFields;
}

function toLine(
  { format, beginsWithPriority, isColored = false, fields: always }: LoggerOptions,
  { level, message, fields }: LogEvent,
): string {
  const own = { time: new Date().toISOString(), level, msg: message, ...always };
  const text =
    format === 'json' ? escapeControls(toJsonLine(own, fields)) : toConsoleLine({ level, message, fields }, isColored);
  return beginsWithPriority ? `<${syslogPriorities[level]}>${text}` : text;
}

/** Passes records to winston as one object: of a message apart from its fields it would replace a `%d`. */
function wrapWinston(logger: winston.Logger): Logger {
  const at =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      void logger.log({ ...fields, level, message });
  return {
    error: at('error'),
    warn: at('warn'),
    info: at('info'),
    debug: at('debug'),
    child: (fields) => wrapWinston(logger.child(fields)),
  };
}

/** Resolves `auto`: the console format on a terminal, JSON elsewhere. */
export function resolveLogFormat(format: LogFormat | 'auto', isTerminal: boolean): LogFormat {
  return format === 'auto' ? (isTerminal ? 'console' : 'json') : format;
}

/** Returns the fields that describe an error; `stack` only of unexpected ones. */
export function toErrorFields(error: unknown): LogFields {
  const expected = error instanceof AgentError;
  return {
    error: toErrorMessage(error),
    error_type: error instanceof Error ? error.name : typeof error,
    error_code: toErrorCode(error),
    ...(expected && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(!expected && error instanceof Error ? { stack: error.stack } : {}),
  };
}

/** @param own the fields of every line; no other field overwrites them */
function toJsonLine(own: LogFields, fields: LogFields): string {
  const text = toJsonText({ ...own, ...fields, ...own });
  return text !== undefined && Buffer.byteLength(text) <= MAX_LINE_BYTES ? text : toShortJsonLine(own, fields);
}

/**
 * Returns a line with as many fields as fit, short ones before long ones and long texts cut. It is valid JSON whatever the
 * fields are.
 */
function toShortJsonLine(own: LogFields, fields: LogFields): string {
  const members = Object.entries(fields)
    .filter(([name]) => !(name in own))
    .map(([name, value]) => toJsonMembers({ [name]: value }))
    .filter((member) => member !== '')
    .sort((a, b) => a.length - b.length);
  const kept = [toJsonMembers(own)];
  let freeBytes = MAX_LINE_BYTES - LEFT_OUT_BYTES - Buffer.byteLength(kept[0]!);
  for (const member of members) {
    freeBytes -= Buffer.byteLength(member) + 1;
    if (freeBytes < 0) break;
    kept.push(member);
  }
  const leftOut = members.length - (kept.length - 1);
  if (leftOut > 0) kept.push(toJsonMembers({ fields_left_out: leftOut }));
  return `{${kept.join(',')}}`;
}

/** Returns the members of an object as JSON, without its braces; what JSON cannot express is replaced by a text. */
function toJsonMembers(record: LogFields): string {
  const text =
    toJsonText(record, MAX_FIELD_LENGTH) ??
    JSON.stringify(Object.fromEntries(Object.keys(record).map((name) => [name, UNPRINTABLE])));
  return text.slice(1, -1);
}

/** Returns JSON, texts cut to `maxLength`; undefined for cycles, deep nesting, and a toJSON that throws. */
function toJsonText(record: LogFields, maxLength = Infinity): string | undefined {
  try {
    return JSON.stringify(record, (_key, value: unknown) => {
      if (typeof value === 'bigint') return String(value);
      return typeof value === 'string' && value.length > maxLength ? `${value.slice(0, maxLength)}…` : value;
    });
  } catch {
    return undefined;
  }
}

function toConsoleLine({ level, message, fields: { session_id: _, ...fields } }: LogEvent, isColored: boolean): string {
  const format = (style: Style): string => {
    const pairs = Object.entries(fields)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${style('dim', `${escapeControls(key)}=`)}${toConsoleText(key, value)}`);
    const color = levelColors[level as LogLevel];
    return [
      style('dim', toLocalTime(new Date())),
      style(color, level.toUpperCase().padEnd(5)),
      escapeControls(message),
      ...pairs,
    ].join(' ');
  };
  const plain = format((_style, text) => text);
  // A line that is cut has no colors: they would go on behind it.
  const isColorable = isColored && Buffer.byteLength(plain) < MAX_LINE_BYTES / 2;
  return isColorable ? format((style, text) => styleText(style, text, { validateStream: false })) : cutToMaxLine(plain);
}

/** Returns the time of day where the reader is: 14:05:09.123 */
function toLocalTime(time: Date): string {
  return `${time.toTimeString().slice(0, 8)}.${String(time.getMilliseconds()).padStart(3, '0')}`;
}

type Style = (style: 'dim' | (typeof levelColors)[LogLevel], text: string) => string;

function toConsoleText(key: string, value: unknown): string {
  // Nine digits: a difference of two times has more, which mean nothing.
  if (typeof value === 'number' && !Number.isInteger(value)) return String(Number(value.toPrecision(9)));
  const text =
    typeof value === 'string'
      ? value
      : (toJsonText({ value }, MAX_FIELD_LENGTH)?.slice('{"value":'.length, -1) ?? UNPRINTABLE);
  // Indented, so that no line of a message in it looks like one of the log.
  if (key === 'stack') return escapeLines(text).replaceAll('\n', '\n    ');
  return escapeControls(text.length > MAX_FIELD_LENGTH ? `${text.slice(0, MAX_FIELD_LENGTH)}…` : text);
}

/** Cuts a text to the length of a line, without half a letter at its end. */
function cutToMaxLine(text: string): string {
  const bytes = Buffer.from(text);
  if (bytes.length <= MAX_LINE_BYTES) return text;
  return new TextDecoder().decode(bytes.subarray(0, MAX_LINE_BYTES), { stream: true });
}
