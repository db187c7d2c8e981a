import { AgentError } from '../errors.ts';

/** The meaning of a value over time; declared, never guessed from a name. */
export type SeriesKind = 'gauge' | 'counter' | 'histogram' | 'summary' | 'untyped';

/** Base units, and percent only where the plan asks for it. */
export type SeriesUnit =
  | 'amperes'
  | 'bytes'
  | 'bytes_per_second'
  | 'celsius'
  | 'hertz'
  | 'milliseconds'
  | 'none'
  | 'operations'
  | 'operations_per_second'
  | 'percent'
  | 'seconds'
  | 'volts'
  | 'watts';

/** As OpenMetrics names them; `unknown` where a source names none. */
export const METRIC_TYPES = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
] as const;
export type MetricType = (typeof METRIC_TYPES)[number];

/** What a metric is, for all of its series: what Prometheus calls metadata. */
export interface MetricFamily {
  /** As exported, without the suffixes of the series that a histogram or a summary consists of. */
  readonly name: string;
  readonly type: MetricType;
  /** Empty where there is none. */
  readonly help: string;
  /** Empty where there is none. */
  readonly unit: string;
}

/** The declaration of a series, before any of its samples exists. */
export interface SeriesDeclaration {
  /** Dotted, as stored: `cpu.usage_percent`. */
  readonly name: string;
  readonly kind: SeriesKind;
  readonly unit: SeriesUnit;
  /** One sentence; becomes the HELP line of the exposition. */
  readonly help: string;
  /** Higher is kept longer when the database is at its cap. */
  readonly priority: number;
  /** Named by another program: then its name is no reason to refuse a series of our own. */
  readonly isForeign?: true;
  /** How that program describes the metric. */
  readonly family?: MetricFamily | undefined;
}

/** Priority of a series that declares no other. */
export const NORMAL_PRIORITY = 1;

const declaredName = /^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$/;

/**
 * Declares a series.
 *
 * @throws AgentError BAD_SERIES for a name that is not dotted lower case, or whose `_total` and kind disagree
 */
export function declareSeries(
  declaration: Omit<SeriesDeclaration, 'priority'> & { readonly priority?: number },
): SeriesDeclaration {
  const { name, kind } = declaration;
  if (!declaredName.test(name)) {
    throw new AgentError(`series name "${name}" is not dotted lower case`, { code: 'BAD_SERIES' });
  }
  if (name.endsWith('_total') !== (kind === 'counter')) {
    throw new AgentError(`series "${name}" is a ${kind}: names of counters, and only those, end in _total`, {
      code: 'BAD_SERIES',
    });
  }
  return { priority: NORMAL_PRIORITY, ...declaration };
}

/** Declares a series of another program, under the name that it has there. */
export function declareForeignSeries(name: string, kind: SeriesKind, family?: MetricFamily): SeriesDeclaration {
  return { name, kind, unit: 'none', help: '', priority: NORMAL_PRIORITY, isForeign: true, family };
}

/** Lists the stored names of all series of a declaration: those of a histogram include its parts. */
export function listStoredNames({ name, kind }: SeriesDeclaration): readonly string[] {
  return kind === 'histogram' ? [name, `${name}_bucket`, `${name}_sum`, `${name}_count`] : [name];
}

/** Returns the name that a stored name is sent under: `cpu.usage_percent` → `cpu_usage_percent`. */
export function toExportedName(storedName: string): string {
  return storedName.replaceAll('.', '_');
}
