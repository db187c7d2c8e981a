import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { duration } from '@thugshells/shared/config/formats.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import { quarantinedSamples, type QuarantinedSample } from '../queue/quarantine-list.ts';
import { Requeue, type TimeRange } from '../queue/requeue.ts';
import { openNow } from '../queue/open-when-ready.ts';
import { SettledRanges } from '../queue/settled-ranges.ts';
import { parseTime } from './time-argument.ts';

/** Options of `requeue`. */
export const REQUEUE_OPTIONS = ['--from T', '--to T', '--quarantined', '--offset D'];
/** Options of `quarantine`. */
export const QUARANTINE_OPTIONS = ['--limit N', '--json'];

const DEFAULT_LIMIT = 100;
/** A time that is out of range may be why a sample is in quarantine. */
const ALL_TIMES: TimeRange = { fromMs: -Number.MAX_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER };

/**
 * Marks delivered samples of a time range as pending again, or quarantined ones; the uploader, which may run meanwhile,
 * sends them with its next cycle. With an offset, samples of boots whose clock was never right get that much added to
 * their times.
 *
 * @throws AgentError BAD_USAGE, and those of opening the database
 */
export function requeueCommand(databasePath: string, options: GivenOptions, nowMs: number): CommandResult {
  const isQuarantined = options.has('--quarantined');
  const range = rangeOf(options, nowMs);
  const offsetMs = offsetOf(options);
  return withDatabase(databasePath, (database) => {
    const requeue = new Requeue(database, new SettledRanges(database));
    const [what, count] =
      offsetMs !== undefined
        ? ['quarantined', requeue.requeueUntimed(range, offsetMs)]
        : isQuarantined
          ? ['quarantined', requeue.requeueQuarantined(range)]
          : ['delivered', requeue.requeueDelivered(range)];
    const when = range === ALL_TIMES ? '' : ` from ${textOf(range.fromMs)} to ${textOf(range.toMs)}`;
    return { text: `${count} ${what} samples${when} are pending again\n` };
  });
}

/**
 * Shows what is in quarantine and why.
 *
 * @throws AgentError BAD_USAGE, and those of opening the database
 */
export function quarantineCommand(databasePath: string, options: GivenOptions): CommandResult {
  const limit = Number(options.value('--limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1)
    throw new AgentError(`--limit ${options.value('--limit')}: must be a whole number from 1 on`, {
      code: 'BAD_USAGE',
    });
  return withDatabase(databasePath, (database) => {
    const { samples, total } = quarantinedSamples(database, limit);
    if (options.has('--json')) return { text: `${JSON.stringify({ total, samples })}\n` };
    const rest = total > samples.length ? [`… and ${total - samples.length} older ones; --limit N shows more`] : [];
    const help = total > 0 ? ['requeue --quarantined sends them again'] : [];
    return { text: `${[`${total} samples are in quarantine`, ...samples.map(lineOf), ...rest, ...help].join('\n')}\n` };
  });
}

/** Delivered samples are asked for by both ends: to send everything again should not be what a forgotten option does. */
function rangeOf(options: GivenOptions, nowMs: number): TimeRange {
  const timeOf = (option: string): number | undefined => {
    const text = options.value(option);
    return text === undefined ? undefined : parseTime(option, text, nowMs);
  };
  const [from, to] = [timeOf('--from'), timeOf('--to')];
  if (options.has('--quarantined') && from === undefined && to === undefined) return ALL_TIMES;
  if (!options.has('--quarantined') && (from === undefined || to === undefined)) {
    throw new AgentError('requeue needs both ends of the time range: --from T --to T', {
      code: 'BAD_USAGE',
      hint: 'for example: requeue --from 2h --to now',
    });
  }
  const range = { fromMs: from ?? 0, toMs: to ?? nowMs };
  if (range.fromMs > range.toMs) throw new AgentError('--from lies behind --to', { code: 'BAD_USAGE' });
  return range;
}

/** `3h`, `-90m`: what the true time was ahead of the board's clock; it goes with --quarantined alone. */
function offsetOf(options: GivenOptions): number | undefined {
  const text = options.value('--offset');
  if (text === undefined) return undefined;
  if (!options.has('--quarantined'))
    throw new AgentError('--offset goes with --quarantined: delivered samples keep their stamp', { code: 'BAD_USAGE' });
  const size = duration.parse(text.replace(/^[+-]/, ''));
  if (size === undefined)
    throw new AgentError(
      `--offset ${text}: must be ${duration.expected}, with - before it where the board’s clock was ahead`,
      { code: 'BAD_USAGE' },
    );
  return text.startsWith('-') ? -size : size;
}

function lineOf({ id, timestampMs, name, tags, deviceId, value, status, reason }: QuarantinedSample): string {
  const labels = Object.entries({ ...tags, device_id: deviceId }).map(
    ([label, text]) => `${label}=${JSON.stringify(text)}`,
  );
  const sample =
    name === null || timestampMs === null
      ? 'no longer stored'
      : `${textOf(timestampMs)} ${name}{${labels.join(',')}} ${String(value)}`;
  return `#${id} ${sample}: ${status === null ? '' : `HTTP ${status}, `}${reason}`;
}

function textOf(timeMs: number): string {
  const time = new Date(timeMs);
  return Number.isNaN(time.getTime()) ? String(timeMs) : time.toISOString();
}

function withDatabase<T>(path: string, use: (database: Database) => T): T {
  const database = openNow(path);
  try {
    return use(database);
  } finally {
    database.close();
  }
}
