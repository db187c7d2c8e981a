import { correctedTimeSql } from '@thugshells/shared/database/epochs.ts';
import type { Database } from '@thugshells/shared/database/open.ts';
import { formatValue, readStoredValue } from '@thugshells/shared/metrics/sample-value.ts';
import { isTextByName, parseStored } from '@thugshells/shared/state/stored-values.ts';

/** A sample that the receiver, or the encoder before it, rejected. */
export interface QuarantinedSample {
  readonly id: number;
  /** Corrected time in Unix milliseconds; null if the row is no longer stored, as are the next four. Labels may be unreadable too. */
  readonly timestampMs: number | null;
  readonly name: string | null;
  readonly tags: Readonly<Record<string, string>> | null;
  readonly deviceId: string | null;
  /** NaN, the stale marker and −0 as texts. */
  readonly value: unknown;
  /** The receiver's HTTP status; null if the encoder rejected the row. */
  readonly status: number | null;
  readonly reason: string;
}

/** Reads the newest `limit` samples in quarantine, newest first, and counts all of them. */
export function readQuarantine(
  database: Database,
  limit: number,
): { readonly samples: readonly QuarantinedSample[]; readonly total: number } {
  const rows = database
    .prepare<[number], Omit<QuarantinedSample, 'tags'> & { readonly tags: unknown }>(
      `SELECT q.id, ${correctedTimeSql('m')} AS timestampMs,
         s.name, s.tags, s.device_id AS deviceId, m.value, q.status, q.reason
       FROM rejected AS q LEFT JOIN samples AS m ON m.id = q.id LEFT JOIN series AS s ON s.id = m.series_id
       ORDER BY q.id DESC LIMIT ?`,
    )
    .all(limit);
  const total = database.prepare<[], number>('SELECT COUNT(*) FROM rejected').pluck().get()!;
  return {
    total,
    samples: rows.map((row) => ({
      ...row,
      value: toReadable(row.value),
      tags: parseStored(row.tags, isTextByName) ?? null,
    })),
  };
}

/** JSON has no NaN, and no text of bytes is a value. */
function toReadable(stored: unknown): unknown {
  const value = Buffer.isBuffer(stored) ? readStoredValue(stored) : undefined;
  return value === undefined ? stored : formatValue(value);
}
