import { networkInterfaces } from 'node:os';

import { type Database, type Statement } from '@thugshells/shared/database/open.ts';
import { EpochRanges, findEpoch } from '@thugshells/shared/database/epochs.ts';
import { isTextByName, MAX_DATE_MS, parseStored } from '@thugshells/shared/state/stored-values.ts';

import { FACT_SERIES, toDeviceFacts, type DeviceFacts, type NewestValue } from './device-facts.ts';

/** The collector of the rarest of the facts scrapes every minute by default. */
const WINDOW_MS = 150_000;
/** As many as a device with many file systems and interfaces has in that time. */
const MAX_ROWS = 20_000;

/** The labels by which facts of one name differ. */
const THING_LABELS = ['mountpoint', 'zone', 'interface', 'reason'] as const;

interface FactRow {
  readonly id: number;
  readonly storedMs: number;
  readonly seriesId: number;
  readonly value: unknown;
}

/** Reads what the newest samples have on the device. */
export class DeviceReader {
  readonly #series: Statement<[string], { id: number; name: string; tags: unknown }>;
  readonly #newest: Statement<[], FactRow>;
  readonly #rows: Statement<[number, string], FactRow>;
  readonly #epochs: EpochRanges;

  constructor(database: Database) {
    const columns = 'id, timestamp_ms AS storedMs, series_id AS seriesId, value';
    this.#series = database.prepare(
      'SELECT id, name, tags FROM series WHERE name IN (SELECT value FROM json_each(?)) ORDER BY name, tags',
    );
    this.#newest = database.prepare(
      `SELECT ${columns} FROM samples WHERE timestamp_ms <= ${MAX_DATE_MS} ORDER BY timestamp_ms DESC LIMIT 1`,
    );
    this.#rows = database.prepare(
      `SELECT ${columns} FROM samples WHERE timestamp_ms > ? AND series_id IN (SELECT value FROM json_each(?))
       ORDER BY timestamp_ms DESC LIMIT ${MAX_ROWS}`,
    );
    this.#epochs = new EpochRanges(database);
  }

  /** Returns undefined if nothing was stored yet. */
  read(): DeviceFacts | undefined {
    const newest = this.#newest.get();
    if (newest === undefined) return undefined;
    const series = this.#series.all(JSON.stringify(FACT_SERIES));
    const values = new Map<number, unknown>();
    for (const { seriesId, value } of this.#rows.iterate(
      newest.storedMs - WINDOW_MS,
      JSON.stringify(series.map(({ id }) => id)),
    ))
      if (!values.has(seriesId)) values.set(seriesId, value);
    const known = new Map(
      series.flatMap(({ id, name, tags }): (readonly [number, NewestValue])[] => {
        const labels = parseStored(tags, isTextByName);
        return labels === undefined || !values.has(id) ? [] : [[id, { name, labels, value: values.get(id) }]];
      }),
    );
    const current = findCurrent([...values.keys()], known);
    const found = [...known].flatMap(([id, value]) => (current.has(id) ? [value] : []));
    const offsetMs = findEpoch(this.#epochs.all(), newest.id)?.offsetMs ?? 0;
    return toDeviceFacts(newest.storedMs + offsetMs, found, readAddresses());
  }
}

/**
 * Finds the newest series of each thing that is measured: a change of DEVICE_ID or LABELS begins new ones.
 *
 * @param newestFirst ids of series by their newest samples
 */
function findCurrent(newestFirst: readonly number[], known: ReadonlyMap<number, NewestValue>): ReadonlySet<number> {
  const current = new Map<string, number>();
  for (const id of newestFirst) {
    const value = known.get(id);
    if (value === undefined) continue;
    const thing = JSON.stringify([value.name, ...THING_LABELS.map((label) => value.labels[label] ?? '')]);
    if (!current.has(thing)) current.set(thing, id);
  }
  return new Set(current.values());
}

/** Reads the addresses of each interface of this device, without those that every device has. */
function readAddresses(): Record<string, string[]> {
  const found = Object.entries(networkInterfaces()).map(([name, addresses = []]) => {
    const own = addresses.filter(({ internal, scopeid = 0 }) => !internal && scopeid === 0);
    return [name, own.map(({ address }) => address)] as const;
  });
  return Object.fromEntries(found.filter(([, addresses]) => addresses.length > 0));
}
