import { backgroundClock, type Clock } from '../clock.ts';
import type { LogFields, Logger, LogLevel } from './types.ts';

/** A repeated record is logged again after this long, with the number of its repetitions. */
const WINDOW_MS = 60_000;
/** Kinds of records that are remembered: a failure whose text differs each time must not fill the memory. */
const MAX_KINDS = 200;
/** Fields that differ from one repetition to the next; numbers are ignored as well. */
const IGNORED_FIELDS: ReadonlySet<string> = new Set(['stack', 'hint', 'batch_id']);

type Write = (fields: LogFields) => void;

interface RecordKind {
  repeated: number;
  /** Writes the last repetition; undefined if there was none. */
  writeLast: (() => void) | undefined;
  /** Ends the window. */
  readonly closed: AbortController;
}

/** The warnings and errors of the last minute. */
class LogDeduplication {
  readonly #clock: Pick<Clock, 'sleep'>;
  readonly #kinds = new Map<string, RecordKind>();

  constructor(clock: Pick<Clock, 'sleep'>) {
    this.#clock = clock;
  }

  /** Writes the first record of a kind, and counts the others until the window ends. */
  add(key: string, fields: LogFields, write: Write): void {
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.repeated += 1;
      known.writeLast = () => write({ ...fields, repeated: known.repeated });
      return;
    }
    if (this.#kinds.size >= MAX_KINDS) this.#close(this.#kinds.keys().next().value!);
    void this.#open(key);
    write(fields);
  }

  closeAll(): void {
    for (const key of [...this.#kinds.keys()]) this.#close(key);
  }

  async #open(key: string): Promise<void> {
    const kind: RecordKind = { repeated: 0, writeLast: undefined, closed: new AbortController() };
    this.#kinds.set(key, kind);
    await this.#clock.sleep(WINDOW_MS, kind.closed.signal);
    if (!kind.closed.signal.aborted) this.#close(key);
  }

  #close(key: string): void {
    const kind = this.#kinds.get(key);
    this.#kinds.delete(key);
    kind?.closed.abort();
    kind?.writeLast?.();
  }
}

/** A logger that writes the same warning or error once a minute, with the number of its repetitions. */
export interface DeduplicatingLogger extends Logger {
  /** Writes the repetitions that were held back; for the end of the process. */
  flush(): void;
}

/** Wraps a logger so that what fails again and again does not fill the journal. */
export function deduplicate(logger: Logger, clock: Pick<Clock, 'sleep'> = backgroundClock): DeduplicatingLogger {
  return wrap(logger, new LogDeduplication(clock), {});
}

function wrap(logger: Logger, records: LogDeduplication, own: LogFields): DeduplicatingLogger {
  const add = (level: LogLevel, message: string, fields: LogFields, write: Write): void =>
    records.add(toRecordKind(level, message, { ...own, ...fields }), fields, write);
  return {
    error: (message, fields = {}) => add('error', message, fields, (counted) => logger.error(message, counted)),
    warn: (message, fields = {}) => add('warn', message, fields, (counted) => logger.warn(message, counted)),
    info: (message, fields) => logger.info(message, fields),
    debug: (message, fields) => logger.debug(message, fields),
    child: (fields) => wrap(logger.child(fields), records, { ...own, ...fields }),
    flush: () => records.closeAll(),
  };
}

/** Returns what two records of one kind have in common: level, message and the fields that are texts. */
export function toRecordKind(level: LogLevel, message: string, fields: LogFields): string {
  const texts = Object.entries(fields).filter(
    ([name, value]) => typeof value === 'string' && !IGNORED_FIELDS.has(name),
  );
  return JSON.stringify([level, message, texts]);
}
