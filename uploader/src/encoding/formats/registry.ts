import type { BodyFormat } from './body-format.ts';
import { JsonLinesFormat } from './json-lines.ts';
import { RemoteWriteV1Format } from './remote-write-v1.ts';
import { RemoteWriteV2Format } from './remote-write-v2.ts';

/** The formats by the names under which a request to encode asks for them. */
const formats = {
  'json-lines': () => new JsonLinesFormat(),
  'remote-write-1': () => new RemoteWriteV1Format(),
  'remote-write-2': () => new RemoteWriteV2Format(),
} satisfies Record<string, () => BodyFormat>;

/** What a body is written in: VictoriaMetrics' JSON lines, or one of the two messages of Prometheus remote write. */
export type BodyFormatName = keyof typeof formats;

/** A writer of bodies in a format. */
export function createBodyFormat(name: BodyFormatName): BodyFormat {
  return formats[name]();
}
