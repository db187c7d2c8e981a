import { AgentError } from '@thugshells/shared/errors.ts';
import type { GivenOptions } from '@thugshells/shared/process/command-line.ts';
import { toExcerpt } from '@thugshells/shared/printable.ts';
import type { CommandResult } from '@thugshells/shared/process/lifecycle.ts';

import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import { readQuarantine, type QuarantinedSample } from '../queue/quarantine-list.ts';
import { withDatabase } from './with-database.ts';

const DEFAULT_LIMIT = 100;
/** Names and labels come from outside; what is beyond is printed with --json. */
const MAX_LINE_LENGTH = 2_000;

/**
 * Prints the samples in quarantine, newest first, each with the reason of its rejection.
 *
 * @throws AgentError BAD_USAGE, DATABASE_NOT_READY, DATABASE_TOO_NEW or SQLITE_TOO_OLD
 */
export function quarantineCommand(databasePath: string, options: GivenOptions): CommandResult {
  const limit = Number(options.value('--limit') ?? DEFAULT_LIMIT);
  if (!Number.isInteger(limit) || limit < 1)
    throw new AgentError(
      `invalid value for --limit: ${options.value('--limit')}: must be a whole number of at least 1`,
      {
        code: 'BAD_USAGE',
      },
    );
  return withDatabase(databasePath, (database) => {
    const { samples, total } = readQuarantine(database, limit);
    if (options.has('--json')) return { text: `${JSON.stringify({ total, samples })}\n` };
    const rest =
      total > samples.length ? [`… and ${total - samples.length} older samples; use --limit N to print more`] : [];
    const help = total > 0 ? ['to requeue them, run: thugshells-uploader requeue --quarantined'] : [];
    return { text: `${[`${total} samples in quarantine`, ...samples.map(toLine), ...rest, ...help].join('\n')}\n` };
  });
}

function toLine({ id, timestampMs, name, tags, deviceId, value, status, reason }: QuarantinedSample): string {
  const labels = Object.entries({ ...tags, device_id: deviceId }).map(
    ([label, text]) => `${label}=${JSON.stringify(text)}`,
  );
  const sample =
    name === null || timestampMs === null
      ? 'no longer stored'
      : `${formatTime(timestampMs)} ${name}{${labels.join(',')}} ${String(value)}`;
  return toExcerpt(`#${id} ${sample}: ${status === null ? '' : `HTTP ${status}, `}${reason}`, MAX_LINE_LENGTH);
}
