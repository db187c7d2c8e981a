import { inspect } from 'node:util';

import { systemClock, type Clock } from '../clock.ts';
import { toExcerpt } from '../printable.ts';
import { toRecordKind } from './deduplication.ts';
import type { LogFields, Logger } from './types.ts';

export type JournalLevel = 'error' | 'warn';
/** The fields of a record, texts and numbers of bounded length. */
export type JournalFields = Readonly<Record<string, string | number | boolean>>;

/** A warning or an error, however often it was logged. */
export interface JournalEntry {
  /** Grows with each record: the newest entry has the highest. */
  readonly id: number;
  /** When it was logged first, by the wall clock, Unix milliseconds. */
  readonly sinceMs: number;
  /** When it was logged last. */
  readonly atMs: number;
  readonly level: JournalLevel;
  readonly message: string;
  readonly fields: JournalFields;
  readonly times: number;
}

/** What a technician reads. */
const MAX_ENTRIES = 20;
/** Characters of a text, after escaping. */
const MAX_TEXT_LENGTH = 300;
/** Characters of all fields of an entry, names included; those beyond are left out. */
const MAX_FIELDS_LENGTH = 800;
/** Fields for developers and programs, which the log has. */
const OMITTED_FIELDS: ReadonlySet<string> = new Set(['stack', 'batch_id', 'error_type', 'repeated']);
const INSPECTION = { depth: 1, breakLength: Infinity, maxArrayLength: 5, maxStringLength: 100 } as const;

/**
 * The last warnings and errors of this process, for the status page: what is logged behind the deduplication, texts bounded in
 * length. A record that is repeated is one entry with a count.
 */
export class Journal {
  readonly #clock: Pick<Clock, 'now'>;
  /** By kind, the oldest first. */
  readonly #entries = new Map<string, JournalEntry>();
  #lastId = 0;
  #isRestored = false;
  #save: () => void = () => undefined;

  constructor(clock: Pick<Clock, 'now'> = systemClock) {
    this.#clock = clock;
  }

  /** The entries, the oldest first. */
  get entries(): readonly JournalEntry[] {
    return [...this.#entries.values()];
  }

  /** The id of the newest entry; 0 for none. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Wraps a logger so that its warnings and errors are recorded here. */
  wrap(logger: Logger, own: LogFields = {}): Logger {
    return {
      error: (message, fields) => {
        this.#record('error', message, { ...own, ...fields });
        logger.error(message, fields);
      },
      warn: (message, fields) => {
        this.#record('warn', message, { ...own, ...fields });
        logger.warn(message, fields);
      },
      info: (message, fields) => logger.info(message, fields),
      debug: (message, fields) => logger.debug(message, fields),
      child: (fields) => this.wrap(logger.child(fields), { ...own, ...fields }),
    };
  }

  /**
   * Puts the entries of the process before, the oldest first, before the own ones; once, since a database that is opened later
   * may have the own ones.
   *
   * @returns false if that was done before
   */
  restore(stored: readonly JournalEntry[]): boolean {
    if (this.#isRestored) return false;
    this.#isRestored = true;
    const own = this.entries;
    this.#entries.clear();
    for (const { id, ...entry } of stored) this.#put(entry, id);
    for (const { id: _, ...entry } of own) this.#put(entry);
    return true;
  }

  /** @param save stores the entries at once */
  onSaveNow(save: () => void): void {
    this.#save = save;
  }

  /** Has the entries stored: an exception that nobody caught is about to end the process. Never throws. */
  saveNow(): void {
    try {
      this.#save();
    } catch {
      // The log has them.
    }
  }

  #record(level: JournalLevel, message: string, fields: LogFields): void {
    const atMs = this.#clock.now();
    const { repeated } = fields;
    const times = typeof repeated === 'number' ? repeated : 1;
    this.#put({
      sinceMs: atMs,
      atMs,
      level,
      message: toExcerpt(message, MAX_TEXT_LENGTH),
      fields: toFields(fields),
      times,
    });
  }

  #put(entry: Omit<JournalEntry, 'id'>, id = this.#lastId + 1): void {
    const kind = toRecordKind(entry.level, entry.message, entry.fields);
    const { sinceMs, times } = this.#entries.get(kind) ?? { sinceMs: entry.sinceMs, times: 0 };
    this.#entries.delete(kind);
    this.#entries.set(kind, { ...entry, id, sinceMs, times: times + entry.times });
    this.#lastId = id;
    if (this.#entries.size > MAX_ENTRIES) this.#entries.delete(this.#findSurplus());
  }

  /** Finds the oldest entry of the message that has the most: one whose texts differ each time does not push out the others. */
  #findSurplus(): string {
    const kinds = new Map<string, string[]>();
    for (const [kind, { message }] of this.#entries) kinds.set(message, [...(kinds.get(message) ?? []), kind]);
    return [...kinds.values()].reduce((most, each) => (each.length > most.length ? each : most))[0]!;
  }
}

function toFields(fields: LogFields): JournalFields {
  let freeLength = MAX_FIELDS_LENGTH;
  const kept = Object.entries(fields).flatMap(([name, value]): [string, string | number | boolean][] => {
    if (value === undefined || OMITTED_FIELDS.has(name)) return [];
    const short = toShortValue(value);
    const length = name.length + String(short).length;
    if (length > freeLength) return [];
    freeLength -= length;
    return [[name, short]];
  });
  return Object.fromEntries(kept);
}

function toShortValue(value: unknown): string | number | boolean {
  if (typeof value === 'boolean' || Number.isFinite(value)) return value as number | boolean;
  return toExcerpt(typeof value === 'string' ? value : inspect(value, INSPECTION), MAX_TEXT_LENGTH);
}
