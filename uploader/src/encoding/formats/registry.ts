import type { BodyFormat } from './body-format.ts';
import { JsonLinesBody } from './json-lines.ts';
import { WriteRequestBody } from './remote-write-v1.ts';
import { WriteRequestV2Body } from './remote-write-v2.ts';

/** The formats by the names under which a request to encode asks for them. */
const formats = {
  'json-lines': () => new JsonLinesBody(),
  'remote-write-1': () => new WriteRequestBody(),
  'remote-write-2': () => new WriteRequestV2Body(),
} satisfies Record<string, () => BodyFormat>;

/** What a body is written in: VictoriaMetrics' JSON lines, or one of the two messages of Prometheus remote write. */
export type BodyFormatName = keyof typeof formats;

/** A writer of bodies in a format. */
export function bodyFormat(name: BodyFormatName): BodyFormat {
  return formats[name]();
}
