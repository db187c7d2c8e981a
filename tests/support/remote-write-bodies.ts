import type { NumericValue } from '@thugshells/shared/metrics/sample-value.ts';

import type { BodyFormat } from '../../uploader/src/encoding/formats/body-format.ts';
import { RemoteWriteV1Format } from '../../uploader/src/encoding/formats/remote-write-v1.ts';
import { RemoteWriteV2Format } from '../../uploader/src/encoding/formats/remote-write-v2.ts';
import { NumericText, printValue, toColumn } from '../../uploader/src/encoding/rows/numeric-text.ts';

/** Version of the message, as the specification names it. */
export type RemoteWriteVersion = '1.0' | '2.0';

/** Samples of one series. */
export interface SentSeries {
  readonly name: string;
  /** By default those of one device without labels of its own. */
  readonly deviceId?: string;
  readonly tags?: Readonly<Record<string, string>>;
  readonly samples: readonly (readonly [timestampMs: number, value: NumericValue])[];
}

const HEADERS: Readonly<Record<RemoteWriteVersion, Record<string, string>>> = {
  '1.0': { 'content-type': 'application/x-protobuf', 'x-prometheus-remote-write-version': '0.1.0' },
  '2.0': {
    'content-type': 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
    'x-prometheus-remote-write-version': '2.0.0',
  },
};

/** What a receiver answered, and how many samples it says that it has stored; null when it does not say so. */
export interface RemoteWriteAnswer {
  readonly status: number;
  readonly written: string | null;
  readonly text: string;
}

/** Posts series in a body that the uploader's own code writes, without the rest of the uploader. */
export async function postRemoteWrite(
  url: string,
  version: RemoteWriteVersion,
  series: readonly SentSeries[],
): Promise<RemoteWriteAnswer> {
  const headers = { ...HEADERS[version], 'content-encoding': 'snappy', connection: 'close' };
  const body =
    version === '1.0' ? encode(new RemoteWriteV1Format(), series) : encode(new RemoteWriteV2Format(), series);
  const response = await fetch(`${url}/api/v1/write`, { method: 'POST', headers, body: new Uint8Array(body) });
  return {
    status: response.status,
    written: response.headers.get('x-prometheus-remote-write-samples-written'),
    text: (await response.text()).trim(),
  };
}

function encode<Head>(format: BodyFormat<Head>, all: readonly SentSeries[]): Uint8Array {
  const samples = all.flatMap((series) => series.samples);
  const columns = {
    values: new NumericText(),
    timestamps: new NumericText(),
    next: Int32Array.from(samples, (_, place) => place + 1),
  };
  columns.values.readValues(toColumn(samples.map(([, value]) => printValue(value, format.protocol))), samples.length);
  columns.timestamps.readWhole(toColumn(samples.map(([timestampMs]) => timestampMs)), samples.length);
  let first = 0;
  for (const { name, deviceId = 'board-1', tags = {}, samples } of all) {
    const { length: count } = samples;
    const head = format.encodeHead({ id: 1, name, deviceId, tags, valueType: 0 });
    format.write({ head, first, count }, columns);
    first += count;
  }
  return format.finish();
}
