import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { duration } from '@thugshells/shared/config/formats.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import { Requeue, type TimeRange } from '../queue/requeue.ts';
import { SettledRanges } from '../queue/settled-ranges.ts';
import { formatTime, parseTime } from './time-argument.ts';
import { withDatabase } from './with-database.ts';

/** Options of `requeue`. */
export const REQUEUE_OPTIONS = ['--from T', '--to T', '--quarantined', '--offset D'];

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
  const range = parseRange(options, nowMs);
  const offsetMs = parseOffset(options);
  return withDatabase(databasePath, (database) => {
    const requeue = new Requeue(database, new SettledRanges(database));
    const [what, count] =
      offsetMs !== undefined
        ? ['quarantined', requeue.requeueUntimed(range, offsetMs)]
        : isQuarantined
          ? ['quarantined', requeue.requeueQuarantined(range)]
          : ['delivered', requeue.requeueDelivered(range)];
    const when = range === ALL_TIMES ? '' : ` from ${formatTime(range.fromMs)} to ${formatTime(range.toMs)}`;
    return { text: `${count} ${what} samples${when} are pending again\n` };
  });
}

/** Delivered samples are asked for by both ends: to send everything again should not be what a forgotten option does. */
function parseRange(options: GivenOptions, nowMs: number): TimeRange {
  const parseBound = (option: string): number | undefined => {
    const text = options.value(option);
    return text === undefined ? undefined : parseTime(option, text, nowMs);
  };
  const [from, to] = [parseBound('--from'), parseBound('--to')];
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
function parseOffset(options: GivenOptions): number | undefined {
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
