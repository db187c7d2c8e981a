import { isTrust, Trust } from '@thugshells/shared/state/epoch-trust.ts';

import type { ForeignEpoch } from '../clock/epoch.ts';
import type { CorruptDatabase } from './corrupt-database.ts';
import { isCount } from './source-books.ts';
import type { Loss } from '../space/ledger.ts';

/** Reads the tables of a corrupt database besides its samples, as far as it can, and drops what cannot be right. */

/** A row of `epochs`. */
export interface SourceEpoch extends ForeignEpoch {
  readonly firstId: number;
}

/** A row of `salvage`: what the database was copying itself. */
export interface SourceSalvage {
  readonly file: string;
  readonly step: string;
  readonly position: number;
  /** May be unreadable, as salvage-progress.ts takes it. */
  readonly skipped: unknown;
  readonly lost: number;
  readonly recovered: number;
}

/** A row of `rejected`. */
export interface SourceRejection {
  readonly id: number;
  readonly status: number | null;
  readonly reason: string;
}

/** Reads why samples were rejected, as far as it can. */
export function readRejections(source: CorruptDatabase): SourceRejection[] {
  const rows = (source.query('SELECT id, status, reason FROM rejected') ?? []) as unknown as SourceRejection[];
  return rows.filter(({ id, reason }) => isCount(id) && typeof reason === 'string');
}

/** Reads the ledger of drops, as far as it can. */
export function readLosses(source: CorruptDatabase): (Loss & { readonly at: number })[] {
  const rows =
    source.query('SELECT at, reason, first_ms AS firstMs, last_ms AS lastMs, count FROM losses ORDER BY id') ?? [];
  return (rows as unknown as (Loss & { at: number })[]).filter(
    ({ at, count, reason, firstMs, lastMs }) =>
      [at, count, firstMs ?? 0, lastMs ?? 0].every(isCount) && typeof reason === 'string',
  );
}

/** Reads the epochs; if it cannot, returns one that takes stored times as they are. */
export function readEpochs(source: CorruptDatabase): SourceEpoch[] {
  const columns = 'first_id AS firstId, offset_ms AS offsetMs, trusted AS trust, boot_id AS bootId, reason';
  // Before version 5 of the schema an epoch could not be corrected later.
  const rows =
    source.query(`SELECT ${columns}, boot_base_ms AS bootBaseMs, lost FROM epochs ORDER BY first_id`) ??
    source.query(`SELECT ${columns}, NULL AS bootBaseMs, 0 AS lost FROM epochs ORDER BY first_id`) ??
    [];
  const known = rows
    .filter(
      ({ firstId, offsetMs, bootBaseMs, bootId, reason }) =>
        isCount(firstId) &&
        [offsetMs, bootBaseMs ?? 0].every(Number.isSafeInteger) &&
        [bootId ?? '', reason].every((text) => typeof text === 'string'),
    )
    .map(
      (row) =>
        ({
          ...row,
          trust: isTrust(row['trust']) ? row['trust'] : Trust.no,
          isLost: row['lost'] === 1,
        }) as unknown as SourceEpoch,
    );
  if (known.length > 0) return known;
  return [
    {
      firstId: 0,
      offsetMs: 0,
      bootBaseMs: null,
      trust: Trust.confirmed,
      bootId: null,
      isLost: false,
      reason: 'the epochs could not be read',
    },
  ];
}

const STEPS: readonly string[] = ['books', 'pending', 'settled', 'pages', 'done'];

/** Reads the source's own unfinished salvages, as far as it can. */
export function readSalvages(source: CorruptDatabase): SourceSalvage[] {
  const rows = source.query('SELECT file, step, position, skipped, lost, recovered FROM salvage ORDER BY id') ?? [];
  const isWhole = ({ file, step, position, lost, recovered }: SourceSalvage): boolean =>
    typeof file === 'string' && STEPS.includes(step) && [position, lost, recovered].every(isCount);
  return (rows as unknown as SourceSalvage[]).filter(isWhole);
}
