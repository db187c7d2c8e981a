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

/** A series as the receiver stores it. */
export interface RawSeries {
  readonly labels: Readonly<Record<string, string>>;
  /** In the order of their times. */
  readonly samples: readonly RawSample[];
}

/** Reads the samples of a metric by the remote read protocol of Prometheus, in the order of their times; the ends of series too. */
export async function readRaw(url: string, metric: string, fromMs: number, toMs: number): Promise<RawSample[]> {
  const series = await readRawSeries(url, { __name__: metric }, { fromMs, toMs });
  return series.flatMap(({ samples }) => samples).sort((a, b) => a.timestampMs - b.timestampMs);
}

/** Reads all series with these labels by the remote read protocol of Prometheus, with their ends. */
export async function readRawSeries(
  url: string,
  labels: Readonly<Record<string, string>>,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): Promise<RawSeries[]> {
  const request = new PbfWriter();
  request.writeMessage(
    1,
    (_, query) => {
      query.writeVarintField(1, fromMs);
      query.writeVarintField(2, toMs);
      for (const label of Object.entries(labels)) query.writeMessage(3, writeMatcher, label);
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
  const found: RawSeries[] = [];
  readFields(uncompress(new Uint8Array(await response.arrayBuffer())), 1, (result) =>
    readFields(result, 1, (series) => found.push(readSeries(series))),
  );
  return found;
}

function writeMatcher([name, value]: readonly [string, string], matcher: PbfWriter): void {
  matcher.writeVarintField(1, EQUAL);
  matcher.writeStringField(2, name);
  matcher.writeStringField(3, value);
}

function readSeries(message: Uint8Array): RawSeries {
  const labels: Record<string, string> = {};
  readFields(message, 1, (label) => {
    const [name, value] = [readText(label, 1), readText(label, 2)];
    labels[name] = value;
  });
  const samples: RawSample[] = [];
  readFields(message, 2, (sample) => samples.push(readSample(sample)));
  return { labels, samples: samples.sort((a, b) => a.timestampMs - b.timestampMs) };
}

function readText(message: Uint8Array, field: number): string {
  let text = '';
  readFields(message, field, (bytes) => (text = Buffer.from(bytes).toString('utf8')));
  return text;
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
