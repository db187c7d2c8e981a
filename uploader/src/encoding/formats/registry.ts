import type { BodyFormat } from './body-format.ts';
import { JsonLinesFormat } from './json-lines.ts';
import { RemoteWriteV1Format } from './remote-write-v1.ts';
import { RemoteWriteV2Format } from './remote-write-v2.ts';

/** The formats by the names that encode requests contain. */
const formats = {
  'json-lines': () => new JsonLinesFormat(),
  'remote-write-1': () => new RemoteWriteV1Format(),
  'remote-write-2': () => new RemoteWriteV2Format(),
} satisfies Record<string, () => BodyFormat>;

/** The format of a body: VictoriaMetrics' JSON lines, or one of the two messages of Prometheus remote write. */
export type BodyFormatName = keyof typeof formats;

/** Creates a writer of bodies in a format. */
export function createBodyFormat(name: BodyFormatName): BodyFormat {
  return formats[name]();
}
