import { toExportedLabels, type LineIdentity } from './json-lines.ts';

/** How samples leave the device, as REMOTE_PROTOCOL names it. */
export type RemoteProtocol = 'victoriametrics' | 'remote-write';

/** What the labels of one series may measure as they are sent, bytes as UTF-8. */
export interface SeriesLimits {
  /** `__name__` and `device_id` included, and `value` of a text. */
  readonly maxLabels: number;
  readonly maxLabelNameBytes: number;
  /** Of a label's value and of the metric's name, which is the value of `__name__`. */
  readonly maxLabelValueBytes: number;
  /** Of all names and values together, as the receiver's index stores them. */
  readonly maxSeriesBytes: number;
}

/**
 * The strictest of both generations of VictoriaMetrics. Each answers 204 to what is beyond, and loses it:
 *
 *                              1.79.5                    1.151.0            flag
 *   labels                     30, the rest cut off      40, else dropped   -maxLabelsPerTimeseries
 *   bytes of a label name      256, the rest cut off     256, else dropped  -maxLabelNameLen (1.79.5 has none)
 *   bytes of a label value     16,384, the rest cut off  4,096, else dropped  -maxLabelValueLen
 *   bytes of an index item     65,536, else dropped      65,536, else dropped  none
 *
 * Series whose labels are cut off may become one. An index item holds all labels of a series and up to 50 bytes of its
 * own (`maxInmemoryBlockSize` in lib/mergeset/encoding.go; the log has "skipping adding too long item to indexdb").
 * 1.79.5 also loses other series of the same body beside one of more than about half an item: with 48,000 bytes within
 * five random bodies, with 32,000 in none of 1,300. tests/integration/series-limits.test.ts measures the table.
 */
export const VICTORIA_METRICS_LIMITS: SeriesLimits = {
  maxLabels: 30,
  maxLabelNameBytes: 256,
  maxLabelValueBytes: 4_096,
  maxSeriesBytes: 32_000,
};

/**
 * Receivers of remote write have limits of their own, and answer 400 to what they do not store. This one bounds the memory that a
 * series takes here: as much as one for VictoriaMetrics may have.
 */
export const REMOTE_WRITE_LIMITS: SeriesLimits = {
  maxLabels: Infinity,
  maxLabelNameBytes: Infinity,
  maxLabelValueBytes: Infinity,
  maxSeriesBytes: VICTORIA_METRICS_LIMITS.maxSeriesBytes,
};

/** Of every character of UTF-16, as bytes of UTF-8. */
const MAX_BYTES_PER_UNIT = 3;
/** What the exported names add to the stored ones: `_info`, and the names of labels that every series bears. */
const MAX_ADDED_BYTES = 64;
/** Characters of a label's name that an error message quotes. */
const MAX_QUOTED = 80;

/** Returns the limits that hold for samples sent by a protocol. */
export function findSeriesLimits(protocol: RemoteProtocol): SeriesLimits {
  return protocol === 'victoriametrics' ? VICTORIA_METRICS_LIMITS : REMOTE_WRITE_LIMITS;
}

/**
 * Returns why a series exceeds the limits as it is sent, and what to do; undefined where it does not.
 *
 * @param text the value of a sample of a text series, which is sent as a label
 */
export function findLimitRefusal(
  series: LineIdentity,
  text: string | undefined,
  limits: SeriesLimits,
): string | undefined {
  if (isFarWithin(series, text, limits)) return undefined;
  const labels = toExportedLabels(series, text);
  if (labels.length > limits.maxLabels) {
    const counted = text === undefined ? '__name__ and device_id' : '__name__, device_id and value';
    return `${labels.length} labels with ${counted}, VictoriaMetrics keeps ${limits.maxLabels}: remove labels at the source`;
  }
  for (const [name, value] of labels) {
    const refusal = findLengthRefusal(name, value, limits);
    if (refusal !== undefined) return refusal;
  }
  const bytes = labels.reduce((sum, [name, value]) => sum + countIndexedBytes(name) + countIndexedBytes(value), 0);
  if (bytes <= limits.maxSeriesBytes) return undefined;
  const limit = limits === VICTORIA_METRICS_LIMITS ? 'VictoriaMetrics drops more than' : 'the limit is';
  return `all labels together have ${bytes} bytes, ${limit} ${limits.maxSeriesBytes}: shorten them at the source`;
}

/** Shortens a name for a message. */
export function quoteName(name: string): string {
  return name.length <= MAX_QUOTED ? name : `${name.slice(0, MAX_QUOTED).toWellFormed()}…`;
}

/** Returns whether the lengths alone show that a series is within the limits, as with nearly all: no bytes are counted. */
function isFarWithin({ name, deviceId, tags }: LineIdentity, text: string | undefined, limits: SeriesLimits): boolean {
  let labels = text === undefined ? 2 : 3;
  let units = name.length + deviceId.length + (text?.length ?? 0);
  for (const label of Object.keys(tags)) {
    if (label.length * MAX_BYTES_PER_UNIT + MAX_ADDED_BYTES > limits.maxLabelNameBytes) return false;
    labels += 1;
    // One more for the ends of both texts in the index.
    units += label.length + tags[label]!.length + 1;
  }
  const maxUnits = Math.min(limits.maxLabelValueBytes, limits.maxSeriesBytes);
  return labels <= limits.maxLabels && units * MAX_BYTES_PER_UNIT + MAX_ADDED_BYTES <= maxUnits;
}

function findLengthRefusal(
  name: string,
  value: string,
  { maxLabelNameBytes, maxLabelValueBytes }: SeriesLimits,
): string | undefined {
  const nameBytes = Buffer.byteLength(name);
  if (nameBytes > maxLabelNameBytes) {
    return `label name "${quoteName(name)}" has ${nameBytes} bytes, VictoriaMetrics drops more than ${maxLabelNameBytes}: shorten it at the source`;
  }
  const bytes = Buffer.byteLength(value);
  if (bytes <= maxLabelValueBytes) return undefined;
  const what = name === '__name__' ? 'the name' : `label "${quoteName(name)}"`;
  return `${what} has ${bytes} bytes, VictoriaMetrics drops more than ${maxLabelValueBytes}: shorten it at the source`;
}

/** Bytes in VictoriaMetrics' index: three control characters are escaped there, and a separator ends each text. */
function countIndexedBytes(text: string): number {
  let bytes = Buffer.byteLength(text) + 1;
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) <= 2) bytes += 1;
  return bytes;
}
