/**
 * One text that differs whenever a pending row has gone in between, for the collector alone deletes those, and books it
 * in the same commit. The dropped rows alone would not do: what is recovered from a damaged database is taken off them.
 */
export const LOSSES_MARK = `SELECT dropped || ' ' || (SELECT IFNULL(SUM(recovered), 0) || ' ' || COUNT(*) FROM salvage) FROM collector_state`;
