import { PbfReader, PbfWriter } from 'pbf';
import { compress, uncompress } from 'snappyjs';

/** A sample as the receiver stores it. */
export interface RawSample {
  readonly timestampMs: number;
  /** The bits of its value, in hexadecimal digits: a JavaScript number does not keep those of a NaN. */
  readonly bits: string;
}

/** The matcher `=`, and the type of a field with eight bytes. */
const EQUAL = 0;
const FIXED_64 = 1;

/** Reads the samples of a metric by the remote read protocol of Prometheus, in the order of their times; the ends of series too. */
export async function readRaw(url: string, metric: string, fromMs: number, toMs: number): Promise<RawSample[]> {
  const request = new PbfWriter();
  request.writeMessage(
    1,
    (_, query) => {
      query.writeVarintField(1, fromMs);
      query.writeVarintField(2, toMs);
      query.writeMessage(
        3,
        (__, matcher) => {
          matcher.writeVarintField(1, EQUAL);
          matcher.writeStringField(2, '__name__');
          matcher.writeStringField(3, metric);
        },
        undefined,
      );
    },
    undefined,
  );
  const headers = {
    'content-type': 'application/x-protobuf',
    'content-encoding': 'snappy',
    'x-prometheus-remote-read-version': '0.1.0',
    connection: 'close',
  };
  const body = new Uint8Array(compress(request.finish()));
  const response = await fetch(`${url}/api/v1/read`, { method: 'POST', headers, body });
  if (!response.ok) throw new Error(await response.text());
  const samples: RawSample[] = [];
  readFields(uncompress(new Uint8Array(await response.arrayBuffer())), 1, (result) =>
    readFields(result, 1, (series) => readFields(series, 2, (sample) => samples.push(readSample(sample)))),
  );
  return samples.sort((a, b) => a.timestampMs - b.timestampMs);
}

/** Calls `read` with the bytes of each message in a field. */
function readFields(message: Uint8Array, field: number, read: (bytes: Uint8Array) => void): void {
  new PbfReader(message).readFields((tag, _, pbf) => {
    if (tag === field) read(pbf.readBytes());
  }, undefined);
}

function readSample(message: Uint8Array): RawSample {
  const pbf = new PbfReader(message);
  let bits = '0'.repeat(16);
  let timestampMs = 0;
  pbf.readFields((tag) => {
    if (tag === 1 && pbf.type === FIXED_64) {
      bits = Buffer.from(message.subarray(pbf.pos, pbf.pos + 8))
        .reverse()
        .toString('hex');
    }
    if (tag === 2) timestampMs = pbf.readVarint();
  }, undefined);
  return { timestampMs, bits };
}
