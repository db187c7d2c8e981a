import type { MetricType } from '@thugshells/shared/metrics/series.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { LineScanner } from './scanner.ts';

/** The label whose value is a number, by type. */
const NUMBER_LABELS: Partial<Record<MetricType, string>> = { histogram: 'le', summary: 'quantile' };
/** Go writes other magnitudes with an exponent (strconv, format g). */
const MIN_DECIMAL_EXPONENT = -4;
const MAX_DECIMAL_EXPONENT = 5;

/**
 * Returns labels with the bound of a histogram's bucket, or a summary's quantile, as Prometheus 3 writes it, whatever the page has:
 * `le="1"` is `le="1.0"`. What is no number stays.
 */
export function normalizeBound(labels: Labels, type: MetricType | undefined): Labels {
  const name = type && NUMBER_LABELS[type];
  const written = name === undefined || !Object.hasOwn(labels, name) ? undefined : labels[name];
  if (written === undefined) return labels;
  const normalized = normalizeNumber(written);
  return normalized === written ? labels : { ...labels, [name!]: normalized };
}

function normalizeNumber(written: string): string {
  const scanner = new LineScanner(written);
  scanner.enter(0, written.length);
  const value = scanner.readNumber();
  if (value === undefined || !scanner.isAtEnd) return written;
  if (Number.isNaN(value)) return 'NaN';
  // Too large a number is none to Go.
  if (!Number.isFinite(value)) return /\d/.test(written) ? written : value > 0 ? '+Inf' : '-Inf';
  return formatFloat(value);
}

/** Formats a number as Go does, with a point or an exponent in it. */
function formatFloat(value: number): string {
  const [mantissa = '', power = ''] = value.toExponential().split('e');
  const exponent = Number(power);
  if (exponent < MIN_DECIMAL_EXPONENT || exponent > MAX_DECIMAL_EXPONENT)
    return `${mantissa}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  const decimal = String(value);
  return decimal.includes('.') ? decimal : `${decimal}.0`;
}
