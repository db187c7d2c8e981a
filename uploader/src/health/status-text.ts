import { styleText } from 'node:util';

import { toPrintable } from '@thugshells/shared/printable.ts';

import type { HealthStatus } from './component-health.ts';
import { bytes, clockTime, count, duration, percent, shortDuration, skew } from './formatting.ts';
import type { DeviceStatus } from './device-status.ts';

const colors = { ok: 'green', degraded: 'yellow', error: 'red' } as const;
/** The newest uploads are shown, up to this many. */
const MAX_UPLOADS = 5;
const BAR_WIDTH = 24;
const LABEL_WIDTH = 12;
/** A reason of two or three lines of a terminal. */
const MAX_TEXT_LENGTH = 500;

/**
 * Formats the status of a device as one screen of a terminal.
 *
 * @param isColored whether to add ANSI colors
 */
export function statusText(given: DeviceStatus, isColored: boolean): string {
  // Names, labels and reasons come from outside.
  const status = toPrintable(given, MAX_TEXT_LENGTH);
  const paint = (state: HealthStatus, text: string): string =>
    isColored ? styleText(colors[state], text, { validateStream: false }) : text;
  const { device_id: device, timestamp, version, uptime_seconds: uptime } = status;
  const sections = [
    [
      `${device} is ${paint(status.status, status.status)}: ${status.reason}`,
      `${timestamp.slice(0, 19).replace('T', ' ')} UTC, version ${version}, uploader ${uptime === 0 ? 'not running' : `up ${duration(uptime)}`}`,
    ],
    componentLines(status, paint),
    [...sampleLines(status), ...backlogLines(status), ...perDayLines(status)],
    uploadLines(status),
    collectorLines(status, paint),
  ];
  return `${sections
    .filter((lines) => lines.length > 0)
    .map((lines) => lines.join('\n'))
    .join('\n\n')}\n`;
}

/** Formats the status of a device as one line, for `systemctl status`. */
export function statusLine({ status, reason, books: { pending } }: DeviceStatus): string {
  return `${status}: ${reason}; ${count(pending)} samples pending`;
}

type Paint = (state: HealthStatus, text: string) => string;

function line(label: string, text: string): string {
  return `${label.padEnd(LABEL_WIDTH)}${text}`;
}

function componentLines({ components, timestamp }: DeviceStatus, paint: Paint): string[] {
  return Object.entries(components)
    .filter(([name]) => !name.startsWith('collector.'))
    .map(([name, { status, message, since }]) =>
      line(name, `${paint(status, status.padEnd(9))} ${message} (since ${clockTime(since, timestamp)})`),
    );
}

function sampleLines({ books }: DeviceStatus): string[] {
  const { collected, delivered, pending, rejected, dropped } = books;
  const sum = `${count(delivered)} delivered + ${count(pending)} pending + ${count(rejected)} rejected + ${count(dropped)} dropped`;
  return [line('samples', `${count(collected)} collected = ${sum}`)];
}

function backlogLines({ backlog, components }: DeviceStatus): string[] {
  const { oldest_pending_age_seconds: age, held, done, seconds_left: left } = backlog;
  const parts = [
    age === undefined ? 'nothing pending' : `oldest pending sample ${duration(age)} old`,
    ...(held > 0 ? [`${count(held)} held`] : []),
    ...(done === undefined
      ? []
      : [`${bar(done)} ${percent(done)}${left === undefined ? '' : `, ${duration(left)} left`}`]),
  ];
  const { skew_ms: skewMs, skew_error_ms: error } = components['time']?.details ?? {};
  const clock =
    typeof skewMs === 'number'
      ? `${skew(skewMs, Number(error))}, compared with the receiver`
      : 'not compared with the receiver yet';
  return [line('backlog', parts.join(', ')), line('clock', clock)];
}

function bar(done: number): string {
  const full = Math.floor(done * BAR_WIDTH);
  return `[${'#'.repeat(full)}${'-'.repeat(BAR_WIDTH - full)}]`;
}

function perDayLines({ per_day: { sent_bytes: sent, written_bytes: written } }: DeviceStatus): string[] {
  const parts = [
    ...(sent === undefined ? [] : [`${bytes(sent)} sent`]),
    ...(written === undefined ? [] : [`${bytes(written)} written to disk`]),
  ];
  return parts.length === 0 ? [] : [line('per day', `${parts.join(', ')}, at the rate of the last day`)];
}

function uploadLines({ uploads, timestamp }: DeviceStatus): string[] {
  return uploads.slice(0, MAX_UPLOADS).map(({ at, samples, bytes: size, outcome, reason, times }, index) => {
    const what =
      outcome === 'failed'
        ? `failed${times > 1 ? ` ${times} times` : ''}: ${reason}`
        : `${count(samples)} samples, ${bytes(size)}, ${outcome}`;
    return line(index === 0 ? 'uploads' : '', `${clockTime(at, timestamp)}  ${what}`);
  });
}

function collectorLines({ components, timestamp }: DeviceStatus, paint: Paint): string[] {
  return Object.entries(components)
    .filter(([name]) => name.startsWith('collector.'))
    .map(([name, { status, message, details }], index) => {
      const took = shortDuration(Number(details['duration_ms'])).padStart(8);
      const scrape = `${clockTime(details['last_scrape'] as string | undefined, timestamp)} ${took}`;
      return line(
        index === 0 ? 'collectors' : '',
        `${name.slice('collector.'.length).padEnd(12)} ${scrape}  ${paint(status, message)}`,
      );
    });
}
