import { createExpositionError } from './scanner.ts';

/** The two text formats. */
export type ExpositionFormat = 'prometheus' | 'openmetrics';

/** A comment that describes a metric family. */
export type FamilyComment =
  | { readonly kind: 'type'; readonly family: string; readonly type: string }
  | { readonly kind: 'help' | 'unit'; readonly family: string; readonly text: string };

/** A comment with a meaning: of a metric family, or the end of the text. */
export type ExpositionComment = FamilyComment | { readonly kind: 'end' } | undefined;

/** Types by format; some exporters use types of OpenMetrics in Prometheus' format. */
const TYPES: Readonly<Record<ExpositionFormat, ReadonlySet<string>>> = {
  prometheus: new Set([
    'counter',
    'gauge',
    'histogram',
    'summary',
    'untyped',
    'unknown',
    'info',
    'stateset',
    'gaugehistogram',
    'gauge_histogram',
  ]),
  openmetrics: new Set(['counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset', 'unknown']),
};

/** The name of a metric family, with or without quotes. */
const namePattern = String.raw`([a-zA-Z_:][a-zA-Z0-9_:]*|"(?:\\.|[^"\\])+")`;
const prometheusMeta = /^#[ \t]+(HELP|TYPE)[ \t]+(.*)$/s;
const prometheusFamily = new RegExp(`^${namePattern}(?:[ \\t]+(.*))?$`, 's');
const openMetricsMeta = /^# (HELP|TYPE|UNIT) (.*)$/s;
const openMetricsFamily = new RegExp(`^${namePattern}(?: (.*))?$`, 's');

/** Parses a line that begins with `#`; undefined if it has no meaning. */
export function parseComment(text: string, format: ExpositionFormat): ExpositionComment {
  return format === 'prometheus' ? parsePrometheusComment(text) : parseOpenMetricsComment(text);
}

function parsePrometheusComment(text: string): ExpositionComment {
  const [, keyword, after = ''] = prometheusMeta.exec(text) ?? [];
  if (keyword === undefined) return undefined;
  const [, family, rest = ''] = prometheusFamily.exec(after) ?? [];
  if (family === undefined) throw createExpositionError(`no metric name after ${keyword}`);
  if (keyword === 'TYPE') return parseType(family, rest.trim().toLowerCase(), 'prometheus');
  return { kind: 'help', family: unquote(family), text: unescape(rest, false) };
}

/** In OpenMetrics every comment has a meaning. */
function parseOpenMetricsComment(text: string): ExpositionComment {
  if (text === '# EOF') return { kind: 'end' };
  const [, keyword, after = ''] = openMetricsMeta.exec(text) ?? [];
  if (keyword === undefined) throw createExpositionError('neither HELP, TYPE, UNIT nor EOF after #');
  const [, family, rest] = openMetricsFamily.exec(after) ?? [];
  if (family === undefined) throw createExpositionError(`no metric name after ${keyword}`);
  if (rest === undefined) throw createExpositionError(`no text after ${keyword} ${family}`);
  if (keyword === 'UNIT' && rest !== '' && !unquote(family).endsWith(`_${rest}`))
    throw createExpositionError(`the unit "${rest}" is not at the end of ${family}`);
  if (keyword === 'TYPE') return parseType(family, rest, 'openmetrics');
  return keyword === 'UNIT'
    ? { kind: 'unit', family: unquote(family), text: rest }
    : { kind: 'help', family: unquote(family), text: unescape(rest, true) };
}

function parseType(family: string, type: string, format: ExpositionFormat): ExpositionComment {
  if (!TYPES[format].has(type)) throw createExpositionError(`"${type.slice(0, 40)}" is not a metric type`);
  return { kind: 'type', family: unquote(family), type };
}

/** A backslash that escapes nothing stays. */
function unescape(text: string, areQuotesEscaped: boolean): string {
  if (!text.includes('\\')) return text;
  return text.replace(areQuotesEscaped ? /\\([\\n"])/g : /\\([\\n])/g, (_, code: string) =>
    code === 'n' ? '\n' : code,
  );
}

function unquote(family: string): string {
  return family.startsWith('"')
    ? family
        .slice(1, -1)
        .replace(/\\(["\\])/g, '$1')
        .replaceAll('\\n', '\n')
    : family;
}
