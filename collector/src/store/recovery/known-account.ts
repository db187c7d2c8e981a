import { requireRow, type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { merge, subtract, type IdRange } from '@thugshells/shared/database/id-ranges.ts';
import { isCount, isRangeList, parseStored } from '@thugshells/shared/state/stored-values.ts';

/**
 * The books of a database and what was settled in it, as one transaction saw them. What is provisional counts as pending: if
 * its rows are lost here, and the receiver has not written them to its disk, nobody has them.
 */
export interface KnownAccount {
  readonly books: KnownBooks;
  readonly settled: readonly IdRange[];
  readonly losses: readonly KnownLoss[];
  /** Each session with the id of its first sample: no other database has both. */
  readonly sessions: ReadonlySet<string>;
}

interface KnownBooks {
  readonly lastId: number;
  readonly collected: number;
  readonly dropped: number;
  readonly heartbeatMs: number;
  readonly delivered: number;
  readonly rejected: number;
}

interface KnownLoss {
  readonly atMs: number;
  readonly reason: string;
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  readonly count: number;
}

/**
 * Keeps the account of the open database in memory, so that it is known what was lost if an older copy is written over the
 * file: the copy knows nothing of it.
 */
export class AccountKeeper {
  readonly #database: Database;
  readonly #books: Statement<[], KnownBooks>;
  readonly #settled: Statement<[], [number, number]>;
  readonly #provisional: Statement<[], unknown>;
  readonly #losses: Statement<[], KnownLoss>;
  readonly #sessions: ReadonlySet<string>;
  #known: KnownAccount | undefined;
  #version: unknown;
  #lastId: number | undefined;
  #state: { readonly settled: readonly IdRange[]; readonly provisionalIds: number } = {
    settled: [],
    provisionalIds: 0,
  };

  /** @param database whose session has begun */
  constructor(database: Database) {
    this.#database = database;
    this.#sessions = new Set(readSessions(database));
    this.#books = database.prepare(
      `SELECT last_id AS lastId, collected, dropped, heartbeat AS heartbeatMs, delivered, rejected
       FROM collector_state, uploader_state`,
    );
    this.#settled = database
      .prepare<[], [number, number]>('SELECT first_id, last_id FROM settled ORDER BY first_id')
      .raw();
    this.#provisional = database.prepare<[], unknown>('SELECT ranges FROM provisional').pluck();
    this.#losses = database.prepare(
      'SELECT at AS atMs, reason, first_ms AS firstMs, last_ms AS lastMs, count FROM losses ORDER BY id',
    );
  }

  /**
   * Reads the account; what is settled and lost only if it may have changed. An unreadable one, or one of other types, is
   * not known: whoever writes to the database next meets what is wrong.
   */
  read(): KnownAccount | undefined {
    try {
      const found = this.#database.transaction(() => this.#read())();
      if (isAccount(found)) this.#known = found;
    } catch {
      // The last one is still known.
    }
    return this.#known;
  }

  #read(): KnownAccount {
    const books = requireRow(this.#books.get(), 'collector_state or uploader_state');
    // Another connection's commit changes the version, and what a salvage settles here the books.
    const version = this.#database.pragma('data_version', { simple: true });
    const isSame = version === this.#version && this.#lastId === books.lastId;
    if (!isSame) this.#readSettled();
    this.#version = version;
    this.#lastId = books.lastId;
    const losses = this.#known?.books.dropped === books.dropped ? this.#known.losses : this.#losses.all();
    const { settled, provisionalIds } = this.#state;
    const delivered = Math.max(0, books.delivered - provisionalIds);
    return { books: { ...books, delivered }, settled, losses, sessions: this.#sessions };
  }

  #readSettled(): void {
    const provisional = merge(this.#provisional.all().flatMap((ranges) => parseStored(ranges, isRangeList) ?? []));
    const provisionalIds = provisional.reduce((sum, [first, last]) => sum + last - first + 1, 0);
    this.#state = { settled: subtract(this.#settled.all(), provisional), provisionalIds };
  }
}

function isAccount({ books, settled }: KnownAccount): boolean {
  return Object.values(books).every(isCount) && isRangeList(settled);
}

/** Whether a database is older than what is known of it: it has fewer ids, and those only grow. */
export function isOlder(database: Database, { books }: KnownAccount): boolean {
  const lastId = database.prepare<[], number>('SELECT last_id FROM collector_state').pluck().get() ?? 0;
  return lastId < books.lastId;
}

/** Whether a database is a copy of the known one: it knows its newest session too, with the same first sample. */
export function isCopy(database: Database, { sessions }: KnownAccount): boolean {
  const [newest] = readSessions(database);
  return newest === undefined || sessions.has(newest);
}

function readSessions(database: Database): string[] {
  return database
    .prepare<[], string>(
      `SELECT first_sample_id || ' ' || id FROM sessions WHERE first_sample_id IS NOT NULL ORDER BY first_sample_id DESC`,
    )
    .pluck()
    .all();
}

/** Writes what is known into a database that is older: then its recovery counts what it does not have as lost. */
export function writeAccount(database: Database, { books, settled, losses }: KnownAccount): void {
  const insertSettled = database.prepare('INSERT INTO settled (first_id, last_id) VALUES (?, ?)');
  const insertLoss = database.prepare(
    'INSERT INTO losses (at, reason, first_ms, last_ms, count) VALUES (@atMs, @reason, @firstMs, @lastMs, @count)',
  );
  database
    .transaction(() => {
      database.exec('DELETE FROM settled; DELETE FROM provisional; DELETE FROM losses');
      for (const range of settled) insertSettled.run(...range);
      for (const loss of losses) insertLoss.run(loss);
      database
        .prepare(
          'UPDATE collector_state SET last_id = @lastId, collected = @collected, dropped = @dropped, heartbeat = @heartbeatMs',
        )
        .run(books);
      database.prepare('UPDATE uploader_state SET delivered = @delivered, rejected = @rejected').run(books);
    })
    .immediate();
}
