import { canonicalTags, dedupKey, seriesKey, type Labels, type ValueType } from '../metrics/sample.ts';
import { isObject, parseStored } from '../state/stored-values.ts';
import type { Database } from './open.ts';

/** Registers the SQL functions that migrations call; deterministic, so that GROUP BY accepts them. */
export function registerFunctions(database: Database): void {
  const deterministic = { deterministic: true };
  database.function('canonical_tags', deterministic, (tags) => canonicalTags(parseTags(tags)));
  database.function('series_key', deterministic, (name, device, canonical, valueType) =>
    seriesKey(String(name), String(device), String(canonical), Number(valueType)),
  );
  database.function('dedup_key', deterministic, (name, timestampMs, device, tags, valueType) =>
    dedupKey({
      name: String(name),
      // Not converted: two different values that are not numbers must not get the same key.
      timestampMs: timestampMs as number,
      deviceId: String(device ?? ''),
      tags: parseTags(tags),
      valueType: Number(valueType) as ValueType,
    }),
  );
}

/** Parses tags as stored before version 3; anything but an object of labels becomes one label. */
function parseTags(stored: unknown): Labels {
  if (typeof stored !== 'string' || stored === '') return {};
  const parsed = parseStored(stored, isObject);
  // Kept as text: a row with broken tags is not dropped.
  if (parsed === undefined) return { tags: stored };
  return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, toLabel(value)]));
}

/** Converts a label's value to text, by JSON: String() makes "[object Object]" of every object. */
function toLabel(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
