import type { Answer } from './answer.ts';
import { exportLines, instantVector } from './export-lines.ts';
import { parseSelector } from './selector.ts';
import type { SampleStore } from './store.ts';

/** What the endpoints that only read can see. */
export interface ReadableState {
  readonly store: SampleStore;
  /** Lines that were dropped so far. */
  readonly invalidLines: number;
}

const TEXT = { 'Content-Type': 'text/plain; charset=utf-8' };

/** Answers the endpoints that VictoriaMetrics has for looking at what was stored; undefined for any other path. */
export function readEndpoint(url: URL, state: ReadableState): Answer | undefined {
  switch (url.pathname) {
    case '/api/v1/export':
      return unlessMalformed(() => exportAnswer(url.searchParams, state.store));
    case '/api/v1/query':
      return unlessMalformed(() => {
        const selects = parseSelector(url.searchParams.get('query') ?? '');
        return json(instantVector(state.store.series(), selects));
      });
    case '/metrics':
      return { status: 200, body: metricsText(state), headers: TEXT };
    case '/flags':
      // Export and query leave one value for each time, so the flag that says so may be claimed.
      return { status: 200, body: '-dedup.minScrapeInterval="1ms"\n', headers: TEXT };
    case '/internal/force_flush':
      return { status: 200, headers: TEXT };
    default:
      return undefined;
  }
}

/** An answer whose body is JSON. */
export function json(body: unknown): Answer {
  return { status: 200, body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
}

/**
 * Without `end`, everything is exported, the future included: VictoriaMetrics stops at the last full second, which
 * hides the newest samples from whoever forgets to ask for them.
 */
function exportAnswer(query: URLSearchParams, store: SampleStore): Answer {
  const selectors = query.getAll('match[]').map(parseSelector);
  if (selectors.length === 0) throw new SyntaxError('missing `match[]` arg');
  const startMs = timeOf(query.get('start'), -Infinity);
  const endMs = timeOf(query.get('end'), Infinity);
  const raw = query.get('reduce_mem_usage') === '1';
  const body = [...exportLines(store.series(), { selectors, startMs, endMs, raw })].join('');
  return { status: 200, body, headers: { 'Content-Type': 'application/stream+json; charset=utf-8' } };
}

/** A time in Unix seconds or as RFC 3339 writes it, in Unix milliseconds. */
function timeOf(text: string | null, otherwise: number): number {
  if (text === null || text === '') return otherwise;
  const time = Number.isNaN(Number(text)) ? Date.parse(text) : Number(text) * 1000;
  if (Number.isNaN(time)) throw new SyntaxError(`cannot parse the time ${text}`);
  return time;
}

function metricsText({ store, invalidLines }: ReadableState): string {
  const { stored, tooOld, tooNew } = store.counts();
  const counters = [
    ['vm_rows_inserted_total{type="vmimport"}', stored + tooOld + tooNew],
    ['vm_rows_invalid_total{type="vmimport"}', invalidLines],
    ['vm_rows_ignored_total{reason="small_timestamp"}', tooOld],
    ['vm_rows_ignored_total{reason="big_timestamp"}', tooNew],
  ];
  return counters.map(([name, value]) => `${name} ${value}\n`).join('');
}

function unlessMalformed(answer: () => Answer): Answer {
  try {
    return answer();
  } catch (error) {
    if (error instanceof SyntaxError) return { status: 400, body: error.message, headers: TEXT };
    throw error;
  }
}
