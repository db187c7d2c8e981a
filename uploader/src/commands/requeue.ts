import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { AgentError } from '@thugshells/shared/errors.ts';
import { duration } from '@thugshells/shared/config/formats.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import { Requeue, type TimeRange } from '../queue/requeue.ts';
import { SettledRanges } from '../queue/settled-ranges.ts';
import { parseTime, toOrderError } from './time-argument.ts';
import { withDatabase } from './with-database.ts';

/** Wider than any date: a sample may be in quarantine because its time is out of range. */
const ALL_TIMES: TimeRange = { fromMs: -Number.MAX_SAFE_INTEGER, toMs: Number.MAX_SAFE_INTEGER };

/**
 * Requeues the delivered samples of a time range, or with `--quarantined` those in quarantine. The uploader may run
 * meanwhile; it sends them with its next cycle. With `--offset`, samples of boots whose clock was never right get that
 * much added to their times.
 *
 * @throws AgentError BAD_USAGE, DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
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
    return { text: `requeued ${count} ${what} samples${when}\n` };
  });
}

/** Requires both ends for delivered samples: a forgotten option must not requeue everything. */
function parseRange(options: GivenOptions, nowMs: number): TimeRange {
  const parseBound = (option: string): number | undefined => {
    const text = options.value(option);
    return text === undefined ? undefined : parseTime(option, text, nowMs);
  };
  const [from, to] = [parseBound('--from'), parseBound('--to')];
  if (options.has('--quarantined') && from === undefined && to === undefined) return ALL_TIMES;
  if (!options.has('--quarantined') && (from === undefined || to === undefined)) {
    throw new AgentError('cannot requeue delivered samples: --from and --to are both required', {
      code: 'BAD_USAGE',
      hint: 'for example, run: thugshells-uploader requeue --from 2h --to now',
    });
  }
  const range = { fromMs: from ?? 0, toMs: to ?? nowMs };
  if (range.fromMs > range.toMs) throw toOrderError('requeue');
  return range;
}

/** Parses `3h` or `-90m` into milliseconds: how far the correct time was ahead of the device's clock. */
function parseOffset(options: GivenOptions): number | undefined {
  const text = options.value('--offset');
  if (text === undefined) return undefined;
  if (!options.has('--quarantined'))
    throw new AgentError('cannot apply --offset without --quarantined: delivered samples keep their times', {
      code: 'BAD_USAGE',
    });
  const size = duration.parse(text.replace(/^[+-]/, ''));
  if (size === undefined)
    throw new AgentError(
      `invalid value for --offset: ${text}: must be ${duration.expected}, with - before it if the device’s clock was ahead`,
      { code: 'BAD_USAGE' },
    );
  return text.startsWith('-') ? -size : size;
}
