import { requireRow, type Database } from '@thugshells/shared/database/open.ts';

declare const brand: unique symbol;

/**
 * A version of the set of pending rows.
 *
 * Invariant: while two reads of one database return the same version, no row that was pending at the first has been
 * deleted by the second. So a count of pending rows that a reader made is still right when they are acknowledged, and
 * a large chunk's rows need not be counted again. New rows do not change the version.
 *
 * It holds because only the collector deletes pending rows, and books them as dropped in the same transaction. The
 * dropped rows alone would not do: what is recovered from a corrupt database is subtracted from them, so the version
 * also has the books of the salvage.
 */
export type PendingRowsVersion = string & { readonly [brand]: true };

/** Prepares a function that reads the version, within the transaction in which it is called. */
export function preparePendingRowsVersion(database: Database): () => PendingRowsVersion {
  const statement = database
    .prepare<[], PendingRowsVersion>(
      `SELECT dropped || ' ' || (SELECT IFNULL(SUM(recovered), 0)  || ' ' || COUNT(*) FROM salvage) FROM collector_state`,
    )
    .pluck();
  return () => requireRow(statement.get(), 'collector_state');
}
