import { isRangeList, parseStored } from '../state/stored-values.ts';
import { merge, type IdRange } from './id-ranges.ts';
import type { Database, Statement } from './open.ts';

/** The settled rows that are provisional: accepted, but too short a while ago to be surely on the receiver's disk. */
export class ProvisionalRows {
  readonly #rows: Statement<[], unknown>;

  constructor(database: Database) {
    this.#rows = database.prepare<[], unknown>('SELECT ranges FROM provisional').pluck();
  }

  /** Returns their ids, ascending; nothing of a row that is damaged. */
  read(): IdRange[] {
    return merge(this.#rows.all().flatMap((stored) => [...(parseStored(stored, isRangeList) ?? [])]));
  }
}
