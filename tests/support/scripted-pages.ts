import { OPEN_METRICS } from './changing-exporter.ts';

/**
 * Pages of a made exporter by the number of the scrape: series that come and go, values of every kind, and scrapes that fail in each way.
 * All of it is seen within `CYCLE` scrapes, and then again.
 */

export type ScriptedResponse =
  | { readonly kind: 'page'; readonly body: string; readonly contentType: string }
  | { readonly kind: 'status'; readonly status: number }
  /** No response at all. */
  | { readonly kind: 'silence' }
  /** A connection that ends in the midst of the page. */
  | { readonly kind: 'cut'; readonly body: string; readonly contentType: string };

/** Returns the response to the scrape with a number, from 0. */
export type Script = (turn: number) => ScriptedResponse;

export const CYCLE = 20;
const TEXT = 'text/plain; version=0.0.4; charset=utf-8';

/** As a page may write them; a denormal number, and one that no double has. */
const VALUES = [
  ...['NaN', '+Inf', '-Inf', '-0', '0', '1.5e-7', '5e-324', '9007199254740993', '1.7976931348623157e308'],
  ...['nan', 'inf', '-1', '+5', '.5', '1.', '0.1'],
];

/**
 * Before anything else on a page. Series that precede an error get no stale marker of Prometheus: to its cache they were there.
 */
const BROKEN_LINE = 'broken{\n';

/** What a page of either format may have; no name of it is in another job's page. */
function listCommonLines(turn: number, prefix: string): string[] {
  const bucket = turn * 3;
  return [
    `# TYPE ${prefix}_level ${turn % 4 < 2 ? 'gauge' : 'counter'}`,
    `${prefix}_level ${Math.sin(turn) * 1000}`,
    `# HELP ${prefix}_special Values that are no ordinary numbers.`,
    `# TYPE ${prefix}_special gauge`,
    ...VALUES.map((_, index) => `${prefix}_special{of="${index}"} ${VALUES[(turn + index) % VALUES.length]}`),
    `# TYPE ${prefix}_constant gauge`,
    `${prefix}_constant 42.5`,
    `# TYPE ${prefix}_seconds histogram`,
    `${prefix}_seconds_bucket{le="0.5"} ${bucket}`,
    `${prefix}_seconds_bucket{le="1"} ${bucket + 1}`,
    `${prefix}_seconds_bucket{le="+Inf"} ${bucket + 2}`,
    `${prefix}_seconds_sum ${turn * 0.7}`,
    `${prefix}_seconds_count ${bucket + 2}`,
    `# TYPE ${prefix}_latency summary`,
    `${prefix}_latency{quantile="0.5"} ${turn % 3 === 0 ? 'NaN' : turn / 8}`,
    `${prefix}_latency_sum ${turn}`,
    `${prefix}_latency_count ${turn * 2}`,
    `# TYPE ${prefix}_labels gauge`,
    `${prefix}_labels{path="C:\\\\dir\\\\\\"a\\"\\nb",city="Zürich 東京"} 1`,
    `${prefix}_labels{empty="",b="x"} 2`,
    `${prefix}_labels{job="page",instance="page:1",exported_job="x"} 3`,
    `# TYPE ${prefix}_changing gauge`,
    `${prefix}_changing{id="${turn}"} ${turn}`,
    ...(turn % 6 < 3 ? [`${prefix}_changing{id="half the time"} 1`] : []),
    ...(turn % 9 === 4 ? [`${prefix}_changing{id="now and then"} -0`] : []),
    `# TYPE ${prefix}_dropped gauge`,
    `${prefix}_dropped{id="${turn % 2}"} 1`,
  ];
}

function toText(turn: number, prefix: string): string {
  const lines = [
    ...listCommonLines(turn, prefix),
    `# TYPE ${prefix}_resets_total counter`,
    `${prefix}_resets_total ${(turn % 7) * 11}`,
    `# TYPE ${prefix}_twice untyped`,
    `${prefix}_twice ${turn}`,
    `${prefix}_twice ${turn + 1}`,
    `# a comment`,
    `${prefix}_spaces {  a = "b" ,}\t 3  `,
    // No dot in the name: that is `_` in every exported name.
    `{"${prefix} quoted","a.label"="x"} 4`,
  ];
  return `${lines.join('\n')}\n`;
}

function toOpenMetrics(turn: number, prefix: string): string {
  const lines = [
    ...listCommonLines(turn, prefix),
    `# TYPE ${prefix}_requests counter`,
    `# UNIT ${prefix}_requests_seconds seconds`,
    `${prefix}_requests_total{code="200"} ${turn * 4} # {trace_id="t${turn}"} 1.5 1700000000.5`,
    `${prefix}_requests_created{code="200"} 1700000000.25`,
    `# TYPE ${prefix}_release info`,
    `${prefix}_release_info{version="1.${Math.floor(turn / 8)}"} 1`,
    `# TYPE ${prefix}_mode stateset`,
    `${prefix}_mode{${prefix}_mode="idle"} ${turn % 2}`,
    `${prefix}_mode{${prefix}_mode="busy"} ${1 - (turn % 2)}`,
    '# EOF',
  ];
  return `${lines.join('\n')}\n`;
}

/** A page of Prometheus' text format; some scrapes fail. */
export function scriptText(turn: number): ScriptedResponse {
  const body = toText(turn, 'text');
  switch (turn % CYCLE) {
    case 4:
      return { kind: 'page', body: '', contentType: TEXT };
    case 9:
    case 10:
      return { kind: 'status', status: 500 };
    case 13:
      return { kind: 'page', body: BROKEN_LINE + body, contentType: TEXT };
    case 16:
      return { kind: 'silence' };
    case 18:
      return { kind: 'cut', body, contentType: TEXT };
    default:
      return { kind: 'page', body, contentType: TEXT };
  }
}

/** A page of OpenMetrics; some of them are broken, or have nothing but their end. */
export function scriptOpenMetrics(turn: number): ScriptedResponse {
  const body = toOpenMetrics(turn, 'open');
  switch (turn % CYCLE) {
    case 6:
      return { kind: 'page', body: BROKEN_LINE + body, contentType: OPEN_METRICS };
    case 12:
      return { kind: 'page', body: '# EOF\n', contentType: OPEN_METRICS };
    default:
      return { kind: 'page', body, contentType: OPEN_METRICS };
  }
}

/** Grows by 5 in a scrape, and by 500 in some of each cycle. */
function countSteadily(turn: number): number {
  const fast = Array.from({ length: turn }, (_, index) => index % CYCLE).filter((place) => place >= 8 && place < 14);
  return turn * 5 + fast.length * 495;
}

/** A page whose own `job` and `instance` are honored, with a counter. No scrape fails. */
export function scriptHonored(turn: number): ScriptedResponse {
  const own = [
    '# TYPE honored_steady_total counter',
    `honored_steady_total ${countSteadily(turn)}`,
    'honored_empty{instance=""} 1',
    'honored_empty{job="",a="b"} 2',
    '',
  ];
  return { kind: 'page', body: toText(turn, 'honored') + own.join('\n'), contentType: TEXT };
}
