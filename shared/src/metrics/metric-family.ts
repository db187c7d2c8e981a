import { toExportedSeriesName } from './json-lines.ts';
import type { ValueType } from './sample.ts';
import {
  toExportedName,
  type MetricFamily,
  type MetricType,
  type SeriesDeclaration,
  type SeriesKind,
} from './series.ts';

/** Suffixes of the series that belong to a family of another name (OpenMetrics 1.0; `_total` of a counter, too). */
const familySuffix = /_(?:total|bucket|count|sum|created|info|gcount|gsum)$/;
const types: Readonly<Record<SeriesKind, MetricType>> = {
  counter: 'counter',
  gauge: 'gauge',
  histogram: 'histogram',
  summary: 'summary',
  untyped: 'unknown',
};

/** Finds the family of a series by its exported name. */
export function findFamily<T>(families: ReadonlyMap<string, T>, seriesName: string): T | undefined {
  return families.get(seriesName) ?? families.get(seriesName.replace(familySuffix, ''));
}

/** Returns the family of a declared series; undefined for one of another program that does not describe it. */
export function toMetricFamily(series: SeriesDeclaration, valueType: ValueType): MetricFamily | undefined {
  const { family } = series;
  if (series.isForeign === true) return family && { ...family, name: toExportedName(family.name) };
  const name = toExportedSeriesName({ name: series.name, valueType });
  const isCompound = series.kind === 'histogram' || series.kind === 'summary';
  return {
    name: isCompound ? name.replace(familySuffix, '') : name,
    type: types[series.kind],
    help: series.help,
    unit: series.unit === 'none' ? '' : series.unit,
  };
}
