import { styleText } from 'node:util';

import { toPrintable } from '@thugshells/shared/printable.ts';

import type { HealthStatus } from './component-health.ts';
import { bytes, clockTime, count, duration, percent, shortDuration, skew } from './formatting.ts';
import { formatFields, formatTimes, LEVEL_STATUS, LEVEL_WORD } from './journal-lines.ts';
import { OUTCOME_STATUS, stateWord, type DeviceStatus } from './device-status.ts';

const colors = { ok: 'green', degraded: 'yellow', error: 'red' } as const;
/** The newest uploads, and the newest lines of the journal, are shown, up to this many. */
const MAX_UPLOADS = 5;
const MAX_JOURNAL_LINES = 5;
const BAR_WIDTH = 24;
const LABEL_WIDTH = 13;
/** A reason of two or three lines of a terminal. */
const MAX_TEXT_LENGTH = 500;

/**
 * Formats the status of a device for a terminal, in the sections of the status page.
 *
 * @param isColored whether to add ANSI colors
 */
export function statusText(given: DeviceStatus, isColored: boolean): string {
  // Names, labels and reasons come from outside.
  const status = toPrintable(given, MAX_TEXT_LENGTH);
  const style = (format: StyleFormat, text: string): string =>
    isColored ? styleText(format, text, { validateStream: false }) : text;
  const paint: Paint = (state, text) => style(colors[state], text);
  const { device_id: device, timestamp, version, uptime_seconds: uptime } = status;
  const sections: Readonly<Record<string, readonly string[]>> = {
    Samples: [...sampleLines(status), ...backlogLines(status)],
    Components: componentLines(status, paint),
    Journal: journalLines(status, paint),
    'Last uploads': uploadLines(status, paint),
    Collectors: collectorLines(status, paint),
    'Clock and disk': budgetLines(status),
  };
  const head = [
    `${style('bold', device)} is ${paint(status.status, stateWord(status))}: ${status.reason}`,
    `${timestamp.slice(0, 19).replace('T', ' ')} UTC, version ${version}, uploader ${uptime === 0 ? 'not running' : `up ${duration(uptime)}`}`,
  ];
  const titled = Object.entries(sections).map(([title, lines]) => [style('bold', title), ...lines.map(indent)]);
  return `${[head, ...titled].map((lines) => lines.join('\n')).join('\n\n')}\n`;
}

/** Formats the status of a device as one line, for `systemctl status`. */
export function statusLine({ status, reason, books: { pending } }: DeviceStatus): string {
  return `${status}: ${reason}; ${count(pending)} samples pending`;
}

type Paint = (state: HealthStatus, text: string) => string;
type StyleFormat = Parameters<typeof styleText>[0];

function indent(text: string): string {
  return `  ${text}`;
}

function line(label: string, text: string): string {
  // A scrape target's name may fill the column.
  return `${`${label} `.padEnd(LABEL_WIDTH)}${text}`;
}

function componentLines({ components, timestamp }: DeviceStatus, paint: Paint): string[] {
  return Object.entries(components)
    .filter(([name]) => !name.startsWith('collector.'))
    .map(([name, { status, message, since }]) =>
      line(name, `${paint(status, status.padEnd(9))} ${message} (since ${clockTime(since, timestamp)})`),
    );
}

function journalLines({ journal, timestamp }: DeviceStatus, paint: Paint): string[] {
  if (journal.length === 0) return ['no warnings or errors'];
  return journal.slice(0, MAX_JOURNAL_LINES).flatMap((each) => {
    const { at, since, program, level, message, hint } = each;
    const time = clockTime(at, timestamp);
    const times = formatTimes(each);
    const repeated = times === undefined ? '' : ` (${times} since ${clockTime(since, timestamp)})`;
    const head = `${time}  ${program} ${paint(LEVEL_STATUS[level], LEVEL_WORD[level])}: ${message}${repeated}`;
    const details = [formatFields(each), hint === undefined ? '' : `hint: ${hint}`].filter((text) => text !== '');
    return [head, ...details.map((text) => `${' '.repeat(time.length)}  ${text}`)];
  });
}

function sampleLines({ books }: DeviceStatus): string[] {
  const { collected, delivered, pending, rejected, dropped } = books;
  const sum = `${count(delivered)} delivered + ${count(pending)} pending + ${count(rejected)} rejected + ${count(dropped)} dropped`;
  return [line('books', `${count(collected)} collected = ${sum}`)];
}

function backlogLines({ backlog }: DeviceStatus): string[] {
  const { oldest_pending_age_seconds: age, held, done, seconds_left: left } = backlog;
  const parts = [
    age === undefined ? 'nothing pending' : `oldest pending sample ${duration(age)} old`,
    ...(held > 0 ? [`${count(held)} held`] : []),
    ...(done === undefined
      ? []
      : [`${bar(done)} ${percent(done)}${left === undefined ? '' : `, ${duration(left)} left`}`]),
  ];
  return [line('backlog', parts.join(', '))];
}

function bar(done: number): string {
  const full = Math.floor(done * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`;
}

function uploadLines({ uploads, timestamp }: DeviceStatus, paint: Paint): string[] {
  if (uploads.length === 0) return ['no uploads yet'];
  return uploads.slice(0, MAX_UPLOADS).map(({ at, samples, bytes: size, outcome, reason, times }) => {
    const state = paint(OUTCOME_STATUS[outcome], outcome);
    const what =
      outcome === 'failed'
        ? `${state}${times > 1 ? ` ${times} times` : ''}: ${reason}`
        : `${count(samples)} samples, ${bytes(size)}, ${state}`;
    return `${clockTime(at, timestamp)}  ${what}`;
  });
}

function collectorLines({ components, timestamp }: DeviceStatus, paint: Paint): string[] {
  const rows = Object.entries(components).filter(([name]) => name.startsWith('collector.'));
  if (rows.length === 0) return ['no collector has stored samples yet'];
  return rows.map(([name, { status, message, details }]) => {
    const took = shortDuration(Number(details['duration_ms'])).padStart(8);
    const scrape = `${clockTime(details['last_scrape'] as string | undefined, timestamp)} ${took}`;
    return line(name.slice('collector.'.length), `${scrape}  ${paint(status, message)}`);
  });
}

function budgetLines({ components, per_day: { sent_bytes: sent, written_bytes: written } }: DeviceStatus): string[] {
  const { skew_ms: skewMs, skew_error_ms: error } = components['time']?.details ?? {};
  const clock =
    typeof skewMs === 'number'
      ? `${skew(skewMs, Number(error))}, compared with the receiver`
      : 'not compared with the receiver yet';
  const perDay = [
    ...(sent === undefined ? [] : [`${bytes(sent)} sent`]),
    ...(written === undefined ? [] : [`${bytes(written)} written to disk`]),
  ];
  const { database_bytes: database, wal_bytes: wal } = components['storage']?.details ?? {};
  return [
    line('clock', clock),
    ...(perDay.length === 0 ? [] : [line('per day', `${perDay.join(', ')}, at the rate of the last day`)]),
    ...(database === undefined ? [] : [line('database', `${bytes(Number(database))}, and ${bytes(Number(wal))} WAL`)]),
  ];
}
