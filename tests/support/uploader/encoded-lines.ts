import { gunzipSync } from 'node:zlib';

import type { Chunk } from '../../../uploader/src/chunk.ts';

/** One sample as it stands in a body. */
export interface EncodedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampMs: number;
}

interface Line {
  readonly metric: Record<string, string>;
  readonly values: number[];
  readonly timestamps: number[];
}

/** The text of a chunk's body. */
export function textOf(chunk: Chunk): string {
  return gunzipSync(chunk.body).toString('utf8');
}

/** The lines of a chunk's body, read by JSON alone. */
export function linesOf(chunk: Chunk): Line[] {
  return textOf(chunk)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Line);
}

/** The samples of a chunk in body order, the order in which a receiver counts them. */
export function samplesOf(chunk: Chunk): EncodedSample[] {
  return linesOf(chunk).flatMap(({ metric, values, timestamps }) =>
    values.map((value, index) => ({ labels: metric, value, timestampMs: timestamps[index]! })),
  );
}
