/** One sample of a body, with the identity of its series. */
export interface Row {
  /** The labels as JSON in the order of their names: equal for equal series, whatever order they were sent in. */
  readonly series: string;
  readonly metric: Readonly<Record<string, string>>;
  readonly value: number;
  /** Unix time in milliseconds. */
  readonly timestampMs: number;
}

/** What a body held. */
export interface ParsedBody {
  /** In body order: line by line, and within a line in the order of its arrays. */
  readonly rows: readonly Row[];
  /** Lines that VictoriaMetrics would count in `vm_rows_invalid_total` and say nothing about in its answer. */
  readonly invalidLines: number;
}

/** VictoriaMetrics' -maxLabelsPerTimeseries; `__name__` is counted, and a series with more is dropped without a word. */
const MAX_LABELS = 40;

/** VictoriaMetrics' -maxLabelNameLen and -maxLabelValueLen; a series with a longer one is dropped likewise. */
const MAX_LABEL_NAME_BYTES = 256;
const MAX_LABEL_VALUE_BYTES = 4_096;

/** Texts that are values too; a null or one of NaN leaves its sample out. */
const VALUE_TEXTS = new Map<unknown, number | undefined>([
  [null, undefined],
  ['NaN', undefined],
  ['Infinity', Infinity],
  ['-Infinity', -Infinity],
]);

/**
 * Reads a body of /api/v1/import as VictoriaMetrics 1.151 does: a line that it cannot read is dropped whole and counted,
 * a label that is not a string loses its label only, and unknown keys mean nothing.
 *
 * Stricter than VictoriaMetrics in one place: its parser takes a bare `Inf` and `NaN`, which are not JSON; here such
 * a line is invalid. Laxer in another: `1.0` is an integer here and a bad timestamp there.
 */
export function parseImportLines(text: string): ParsedBody {
  const rows: Row[] = [];
  let invalidLines = 0;
  for (const line of text.split('\n')) {
    if (line === '' || line === '\r') continue;
    const parsed = parseLine(line);
    if (parsed === undefined) invalidLines += 1;
    else for (const row of parsed) rows.push(row);
  }
  return { rows, invalidLines };
}

/** The identity of a series: its labels as JSON, sorted by name. */
export function seriesOf(metric: Readonly<Record<string, string>>): string {
  return JSON.stringify(Object.fromEntries(Object.entries(metric).sort(([a], [b]) => (a < b ? -1 : 1))));
}

function parseLine(line: string): Row[] | undefined {
  const record = parseObject(line);
  const labels = record?.['metric'];
  const values = record?.['values'];
  const timestamps = record?.['timestamps'];
  if (!isObject(labels) || Object.keys(labels).length === 0) return undefined;
  if (!isArrayOf(values, isValue) || !isArrayOf(timestamps, isInteger)) return undefined;
  if (values.length === 0 || values.length !== timestamps.length) return undefined;
  const metric = storedLabels(labels);
  if (!isWithinLimits(metric)) return [];
  const series = seriesOf(metric);
  return values.flatMap((text, index) => {
    const value = VALUE_TEXTS.has(text) ? VALUE_TEXTS.get(text) : (text as number);
    // Adding 0 turns -0 into 0, as storing it as a decimal does there.
    return value === undefined ? [] : [{ series, metric, value: value + 0, timestampMs: timestamps[index] as number }];
  });
}

function parseObject(line: string): Record<string, unknown> | undefined {
  try {
    const parsed: unknown = JSON.parse(line);
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

/** The labels that are left: strings that are not empty, with a name. */
function storedLabels(labels: Record<string, unknown>): Record<string, string> {
  const kept = Object.entries(labels).filter(
    (label): label is [string, string] => label[0] !== '' && typeof label[1] === 'string' && label[1] !== '',
  );
  // Not by assignment: a label may be named __proto__.
  return Object.fromEntries(kept);
}

function isWithinLimits(metric: Readonly<Record<string, string>>): boolean {
  const labels = Object.entries(metric);
  return (
    labels.length <= MAX_LABELS &&
    labels.every(([name, value]) => hasAtMost(name, MAX_LABEL_NAME_BYTES) && hasAtMost(value, MAX_LABEL_VALUE_BYTES))
  );
}

function hasAtMost(text: string, bytes: number): boolean {
  // No character takes more than three bytes for each of its UTF-16 units, so most values need no counting.
  return text.length * 3 <= bytes || Buffer.byteLength(text) <= bytes;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isArrayOf<T>(value: unknown, isElement: (element: unknown) => element is T): value is T[] {
  return Array.isArray(value) && value.every((element) => isElement(element));
}

function isValue(value: unknown): value is number | string | null {
  return typeof value === 'number' || VALUE_TEXTS.has(value);
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value);
}
