import type { LogFields, Logger, LogLevel } from './logger.ts';

/** The same trouble is told again after this long, with how often it was meanwhile. */
const WINDOW_MS = 60_000;
/** Kinds of trouble that are remembered. */
const KEPT_KINDS = 200;
/** What differs from one time to the next, and makes no other trouble of it. */
const INCIDENTAL: ReadonlySet<string> = new Set(['stack', 'hint', 'batch_id']);

type Write = (fields: LogFields) => void;

interface Kind {
  repeated: number;
  /** The last one that was not told. */
  last: (() => void) | undefined;
  readonly timer: NodeJS.Timeout;
}

/** Which warnings and errors have been told of late. */
class LogDeduplication {
  readonly #kinds = new Map<string, Kind>();

  tell(key: string, fields: LogFields, write: Write): void {
    const known = this.#kinds.get(key);
    if (known !== undefined) {
      known.repeated += 1;
      known.last = () => write({ ...fields, repeated: known.repeated });
      return;
    }
    if (this.#kinds.size >= KEPT_KINDS) this.#end(this.#kinds.keys().next().value!);
    this.#kinds.set(key, { repeated: 0, last: undefined, timer: setTimeout(() => this.#end(key), WINDOW_MS).unref() });
    write(fields);
  }

  endAll(): void {
    for (const key of [...this.#kinds.keys()]) this.#end(key);
  }

  #end(key: string): void {
    const kind = this.#kinds.get(key);
    this.#kinds.delete(key);
    clearTimeout(kind?.timer);
    kind?.last?.();
  }
}

/** A logger that tells the same warning or error once a minute, and how often it was. */
export interface DeduplicatingLogger extends Logger {
  /** Tells what has been held back; for the end. */
  flush(): void;
}

/** Wraps a logger so that what fails again and again does not fill the journal: message and texts alike are one trouble. */
export function deduplicate(
  logger: Logger,
  repeats = new LogDeduplication(),
  own: LogFields = {},
): DeduplicatingLogger {
  const once =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) => {
      repeats.tell(toKey(level, message, { ...own, ...fields }), fields, (told) => logger[level](message, told));
    };
  return {
    error: once('error'),
    warn: once('warn'),
    info: (message, fields) => logger.info(message, fields),
    debug: (message, fields) => logger.debug(message, fields),
    child: (fields) => deduplicate(logger.child(fields), repeats, { ...own, ...fields }),
    flush: () => repeats.endAll(),
  };
}

function toKey(level: LogLevel, message: string, fields: LogFields): string {
  const texts = Object.entries(fields).filter(([name, value]) => typeof value === 'string' && !INCIDENTAL.has(name));
  return JSON.stringify([level, message, texts]);
}
