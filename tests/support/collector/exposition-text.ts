import { ExpositionReader, type ExpositionOptions } from '../../../collector/src/inputs/exposition/reader.ts';

/** A sample as an array, as tests compare it: name, labels, value and, where there is one, time. */
export type SampleRow = readonly [
  name: string,
  labels: Readonly<Record<string, string>>,
  value: number,
  timestampMs?: number,
];

/** Reads a text to its end, some lines at a time. */
export function readToEnd(text: string, options: Partial<ExpositionOptions> = {}, slice = 3): ExpositionReader {
  const reader = new ExpositionReader(text, { format: 'prometheus', ...options });
  while (reader.read(slice));
  return reader;
}

export function parseRows(text: string, options: Partial<ExpositionOptions> = {}): SampleRow[] {
  return readToEnd(text, options).samples.map(({ series: { name, labels }, value, timestampMs }) =>
    timestampMs === undefined ? [name, labels, value] : [name, labels, value, timestampMs],
  );
}
