import { gunzipSync } from 'node:zlib';

import type { Chunk } from '../../../uploader/src/chunk.ts';

/** One sample of a body. */
export interface EncodedSample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
  readonly timestampMs: number;
}

interface BodyLine {
  readonly metric: Record<string, string>;
  readonly values: number[];
  readonly timestamps: number[];
}

/** Returns the text of a chunk's body. */
export function decodeBody(chunk: Chunk): string {
  return gunzipSync(chunk.body).toString('utf8');
}

/** Parses the lines of a chunk's body. */
export function parseLines(chunk: Chunk): BodyLine[] {
  return decodeBody(chunk)
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BodyLine);
}

/** Returns the samples of a chunk in body order, the order in which a receiver counts them. */
export function decodeSamples(chunk: Chunk): EncodedSample[] {
  return parseLines(chunk).flatMap(({ metric, values, timestamps }) =>
    values.map((value, index) => ({ labels: metric, value, timestampMs: timestamps[index]! })),
  );
}
