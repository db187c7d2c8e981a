import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { toMetricFamily } from '@thugshells/shared/metrics/metric-family.ts';
import type { Sample } from '@thugshells/shared/metrics/sample.ts';
import type { MetricFamily, SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

/** A device has some hundreds; names that change each time do not fill the disk. */
const MAX_FAMILIES = 10_000;
/** Two targets that disagree about a metric cost one write in this time. */
const MIN_CHANGE_INTERVAL_MS = 3_600_000;

interface KnownFamily extends MetricFamily {
  /** When it was written last, by the monotonic clock. */
  readonly writtenAtMs: number;
}

/** The table `metric_families`. */
export class FamilyTable {
  readonly #clock: Clock;
  readonly #all: Statement<[], MetricFamily>;
  readonly #save: Statement;
  #known: Map<string, KnownFamily> | undefined;
  /** What is in the table: nothing is looked up for them. */
  #recorded = new WeakSet<SeriesDeclaration>();

  constructor(database: Database, clock: Clock) {
    this.#clock = clock;
    this.#all = database.prepare('SELECT name, type, help, unit FROM metric_families');
    this.#save = database.prepare(
      'INSERT OR REPLACE INTO metric_families (name, type, help, unit) VALUES (?, ?, ?, ?)',
    );
  }

  /** Forgets what the table holds: a transaction that wrote to it was rolled back. */
  forget(): void {
    this.#known = undefined;
    this.#recorded = new WeakSet();
  }

  /** Writes the family of a sample's metric if it is new or has changed. */
  record({ declaration, valueType }: Sample): void {
    if (this.#recorded.has(declaration)) return;
    const family = toMetricFamily(declaration, valueType);
    if (family === undefined || this.#write(family)) this.#recorded.add(declaration);
  }

  /** Returns false if the family has to wait for its turn. */
  #write(family: MetricFamily): boolean {
    const known = (this.#known ??= this.#read());
    const before = known.get(family.name);
    const nowMs = this.#clock.monotonic();
    const { name, type, help, unit } = family;
    if (before === undefined ? known.size >= MAX_FAMILIES : isEqual(before, family)) return true;
    if (before !== undefined && nowMs - before.writtenAtMs < MIN_CHANGE_INTERVAL_MS) return false;
    this.#save.run(name, type, help, unit);
    known.set(name, { ...family, writtenAtMs: nowMs });
    return true;
  }

  #read(): Map<string, KnownFamily> {
    return new Map(this.#all.all().map((family) => [family.name, { ...family, writtenAtMs: -Infinity }]));
  }
}

function isEqual(one: MetricFamily, other: MetricFamily): boolean {
  return one.type === other.type && one.help === other.help && one.unit === other.unit;
}
