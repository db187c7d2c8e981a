import { canonicalTags, ValueType, type Labels, type Sample } from './sample.ts';
import { formatValue, type NumericValue } from './sample-value.ts';
import { toExportedName } from './series.ts';

/** A series as its line names it. */
export interface LineIdentity {
  /** As stored, dotted. */
  readonly name: string;
  readonly deviceId: string;
  readonly tags: Labels;
  readonly valueType: number;
}

/** The name that a series leaves under: a text's has `_info` at its end. */
export function toExportedSeriesName({ name, valueType }: Pick<LineIdentity, 'name' | 'valueType'>): string {
  return toExportedName(name) + (valueType === ValueType.text ? '_info' : '');
}

/**
 * The labels that a series leaves under, its name first. A text is exported as `<name>_info{value="…"} 1`, so a text
 * series has as many sets of labels as texts.
 */
export function toExportedLabels(series: LineIdentity, text?: string): [name: string, value: string][] {
  const labels: [string, string][] = [['__name__', toExportedSeriesName(series)]];
  for (const [name, value] of Object.entries(series.tags)) labels.push([toExportedLabelName(name), value]);
  labels.push(['device_id', series.deviceId]);
  if (text !== undefined) labels.push(['value', text]);
  return labels;
}

/** Returns the labels that identify a series at the receiver, as canonicalTags() does: empty ones are none. */
export function canonicalExportedTags({ tags, canonical }: Pick<Sample, 'tags' | 'canonical'>): string {
  const names = Object.keys(tags);
  if (!names.some((name) => name === 'device_id' || tags[name] === '')) return canonical;
  const sent = names.filter((name) => tags[name] !== '').map((name) => [toExportedLabelName(name), tags[name]!]);
  return canonicalTags(Object.fromEntries(sent) as Labels);
}

/** A label `device_id` that is not ours is kept, under the name that Prometheus gives it. */
function toExportedLabelName(name: string): string {
  return name === 'device_id' ? 'exported_device_id' : name;
}

/** The `metric` object of a series' line, as JSON. */
export function toMetricObject(series: LineIdentity, text?: string): string {
  return `{${toExportedLabels(series, text)
    .map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`)
    .join(',')}}`;
}

/**
 * Returns a number as JSON has it. JSON has no infinity: both generations of VictoriaMetrics read a number that no double
 * holds as one, and 1.79.5 loses the whole line of anything else (tests/integration/foreign-samples.test.ts). So what remote
 * write alone has is a text: it is for people to read.
 */
export function printNumber(value: NumericValue): string {
  if (value === Infinity || value === -Infinity) return value > 0 ? '1e999' : '-1e999';
  const printed = formatValue(value);
  return Number.isNaN(Number(printed)) ? JSON.stringify(printed) : printed;
}

/**
 * One line of VictoriaMetrics' JSON import format, newline included.
 *
 * @param metric from toMetricObject()
 * @param values numbers as printNumber() returns them, joined by commas
 * @param timestamps Unix milliseconds, joined by commas, as many as values
 */
export function toJsonLine(metric: string, values: string, timestamps: string): string {
  return `{"metric":${metric},"values":[${values}],"timestamps":[${timestamps}]}\n`;
}
