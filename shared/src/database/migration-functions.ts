import { canonicalTags, dedupKey, seriesKey, type Labels, type ValueType } from '../metrics/sample.ts';
import type { Database } from './open.ts';

/** Registers the functions that migrations call; deterministic, so that they may stand in GROUP BY. */
export function registerFunctions(database: Database): void {
  const deterministic = { deterministic: true };
  database.function('canonical_tags', deterministic, (tags) => canonicalTags(parseTags(tags)));
  database.function('series_key', deterministic, (name, device, canonical, valueType) =>
    seriesKey(String(name), String(device), String(canonical), Number(valueType)),
  );
  database.function('dedup_key', deterministic, (name, timestampMs, device, tags, valueType) =>
    dedupKey({
      name: String(name),
      // As it is: what is no number must not become the same key as something else that is none.
      timestampMs: timestampMs as number,
      deviceId: String(device ?? ''),
      tags: parseTags(tags),
      valueType: Number(valueType) as ValueType,
    }),
  );
}

/** Tags as they were stored before version 3; what is no object of labels is kept whole as one label. */
function parseTags(stored: unknown): Labels {
  if (typeof stored !== 'string' || stored === '') return {};
  try {
    const parsed: unknown = JSON.parse(stored);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) {
      return Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, toLabel(value)]));
    }
  } catch {
    // Kept below: a row with a broken tag is still a row.
  }
  return { tags: stored };
}

/** A label's value as text; JSON keeps two objects apart, which as strings would both be "[object Object]". */
function toLabel(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
