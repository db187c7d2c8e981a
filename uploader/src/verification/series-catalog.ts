import { canonicalTags, ValueType, type Labels } from '@thugshells/shared/metrics/sample.ts';
import { toExportedLabels } from '@thugshells/shared/metrics/json-lines.ts';

import type { RowReader } from '../encoding/rows/row-reader.ts';
import type { SeriesRow } from '../encoding/rows/row-reader.ts';

/** A series as the receiver names it: of texts, each text is one. */
export interface ExportedIdentity {
  readonly key: string;
  readonly labels: Labels;
  readonly name: string;
}

/** Texts of one series that are remembered; beyond, each is built anew. */
const MAX_KNOWN = 100_000;

/** Finds the series of the receiver for the rows of the database, and back. */
export class SeriesCatalog {
  readonly #reader: RowReader;
  readonly #rows = new Map<number, SeriesRow | undefined>();
  readonly #identities = new Map<string, ExportedIdentity>();
  readonly #labelNames = new Set<string>();

  constructor(reader: RowReader) {
    this.#reader = reader;
  }

  /** Whether the values of a series are texts. */
  isText(seriesId: number): boolean {
    return this.#find(seriesId)?.valueType === ValueType.text;
  }

  /** Returns the series of a row; undefined if it is unreadable. */
  identify(seriesId: number, text?: string): ExportedIdentity | undefined {
    const id = text === undefined ? String(seriesId) : `${seriesId} ${text}`;
    const known = this.#identities.get(id);
    if (known !== undefined) return known;
    const row = this.#find(seriesId);
    if (row === undefined) return undefined;
    const labels = Object.fromEntries(toExportedLabels(row, text).filter(([, value]) => value !== ''));
    for (const name of Object.keys(labels)) this.#labelNames.add(name);
    const identity = { key: canonicalTags(labels), labels, name: labels['__name__'] ?? '' };
    if (this.#identities.size >= MAX_KNOWN) this.#identities.clear();
    this.#identities.set(id, identity);
    return identity;
  }

  /** Returns the key of what the receiver returns, without the labels that were added on the way, such as `extra_label`. */
  toKey(received: Labels): string {
    return canonicalTags(Object.fromEntries(Object.entries(received).filter(([name]) => this.#labelNames.has(name))));
  }

  #find(seriesId: number): SeriesRow | undefined {
    if (!this.#rows.has(seriesId)) {
      const read = [...takeOne(this.#reader.seriesFrom(seriesId))][0];
      const found = read?.id === seriesId ? read : this.#reader.copiedSeries(seriesId);
      this.#rows.set(seriesId, found.name === undefined ? undefined : found);
    }
    return this.#rows.get(seriesId);
  }
}

function* takeOne<T>(items: Iterable<T>): Generator<T> {
  for (const item of items) {
    yield item;
    return;
  }
}
