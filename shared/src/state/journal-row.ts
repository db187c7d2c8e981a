import type { JournalEntry, JournalFields, JournalLevel } from '../logging/journal.ts';
import {
  isCount,
  isObject,
  isOneOf,
  isText,
  isTime,
  type Guard,
  type StoredPlace,
  type StoredValues,
} from './stored-values.ts';

/** A row of the table `journal`, its columns named like the members: the collector's process writes it, the uploader's reads it. */
export type StoredJournalEntry = { readonly [Name in keyof JournalEntry]: unknown };

const LEVELS: readonly (JournalLevel | undefined)[] = ['error', 'warn'];
/** Far from where ids are no whole numbers any more: the next ones have to grow. */
const MAX_ID = 2 ** 48;

const isId: Guard<number> = (value): value is number => isCount(value) && value <= MAX_ID;
const isFields: Guard<JournalFields> = (value): value is JournalFields =>
  isObject(value) && Object.values(value).every((each) => ['string', 'number', 'boolean'].includes(typeof each));

/** Reads the rows, in their order; one with an unreadable value is left out. */
export function readJournal(rows: readonly StoredJournalEntry[], values: StoredValues): JournalEntry[] {
  return rows.flatMap((row) => {
    const at = (column: string): StoredPlace => ({ column, row: String(row.id) });
    const entry = {
      id: values.read(at('id'), row.id, isId, undefined),
      sinceMs: values.read(at('since'), row.sinceMs, isTime, undefined),
      atMs: values.read(at('at'), row.atMs, isTime, undefined),
      level: values.read(at('level'), row.level, isOneOf(LEVELS), undefined),
      message: values.read(at('message'), row.message, isText, undefined),
      fields: values.parse(at('fields'), row.fields, isFields, undefined),
      times: values.read(at('times'), row.times, isCount, undefined),
    };
    return isWhole(entry) ? [entry] : [];
  });
}

function isWhole(entry: StoredJournalEntry): entry is JournalEntry {
  return Object.values(entry).every((value) => value !== undefined);
}
