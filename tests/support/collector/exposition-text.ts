import { ExpositionReader, type ExpositionOptions } from '../../../collector/src/inputs/exposition/reader.ts';
import type { MetricFamily } from '../../../shared/src/metrics/series.ts';
import type { ParsedSeries } from '../../../collector/src/inputs/exposition/parsed-series.ts';

/** A sample as an array, as tests compare it: name, labels, value and, where there is one, time. */
export type SampleRow = readonly [
  name: string,
  labels: Readonly<Record<string, string>>,
  value: number,
  timestampMs?: number,
];

/** A sample of a text. */
export interface ExposedSample {
  readonly series: ParsedSeries;
  readonly value: number;
  readonly timestampMs: number | undefined;
}

/** Reads a text to its end as one block, some lines at a time. */
export function readToEnd(
  text: string,
  options: Partial<ExpositionOptions> = {},
  slice = 3,
): { readonly samples: readonly ExposedSample[]; readonly families: ReadonlyMap<string, MetricFamily> } {
  const samples: ExposedSample[] = [];
  const reader = new ExpositionReader({ format: 'prometheus', ...options }, (series, _name, value, timestampMs) =>
    samples.push({ series: series!, value, timestampMs }),
  );
  reader.begin(text);
  while (reader.read(slice));
  reader.end();
  return { samples, families: reader.families.byName };
}

/** The type of each family. */
export function typesOf(families: ReadonlyMap<string, MetricFamily>): [name: string, type: string][] {
  return [...families.values()].map(({ name, type }) => [name, type]);
}

export function parseRows(text: string, options: Partial<ExpositionOptions> = {}): SampleRow[] {
  return readToEnd(text, options).samples.map(({ series: { name, labels }, value, timestampMs }) =>
    timestampMs === undefined ? [name, labels, value] : [name, labels, value, timestampMs],
  );
}
