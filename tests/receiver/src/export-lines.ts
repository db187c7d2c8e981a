import type { Selector } from './selector.ts';
import { dedupedValue, valuesOf, type StoredSeries } from './store.ts';

/** What /api/v1/export is asked for. */
export interface ExportRequest {
  /** A series is exported if any of them means it. */
  readonly selectors: readonly Selector[];
  /** First and last time to export, Unix milliseconds, both included. */
  readonly startMs: number;
  readonly endMs: number;
  /** Rows as they came, duplicates included, where VictoriaMetrics would be asked with `reduce_mem_usage=1`. */
  readonly raw: boolean;
}

/** The answer of /api/v1/export, line by line: one series each, times ascending, each line with its newline. */
export function* exportLines(all: Iterable<StoredSeries>, request: ExportRequest): Generator<string> {
  for (const { metric, samples } of all) {
    if (!request.selectors.some((selects) => selects(metric))) continue;
    const wanted = [...samples].filter(([time]) => time >= request.startMs && time <= request.endMs);
    if (wanted.length === 0) continue;
    const values: number[] = [];
    const timestamps: number[] = [];
    for (const [time, stored] of wanted.sort(([a], [b]) => a - b)) {
      for (const value of request.raw ? valuesOf(stored) : [dedupedValue(stored)]) {
        values.push(value);
        timestamps.push(time);
      }
    }
    const parts = [JSON.stringify(metric), values.map(exportedNumber).join(','), timestamps.join(',')];
    yield `{"metric":${parts[0]},"values":[${parts[1]}],"timestamps":[${parts[2]}]}\n`;
  }
}

/** The answer of /api/v1/query to a plain selector: the last value of each series, with its own time. */
export function instantVector(all: Iterable<StoredSeries>, selects: Selector): object {
  const result = [...all]
    .filter(({ metric }) => selects(metric))
    .map(({ metric, samples }) => {
      const [time, stored] = [...samples].reduce((last, next) => (next[0] > last[0] ? next : last));
      return { metric, value: [time / 1000, queriedNumber(dedupedValue(stored))] };
    });
  return { status: 'success', data: { resultType: 'vector', result } };
}

/** An export has infinities as texts, since JSON has no numbers for them; 1.79 wrote them bare. */
function exportedNumber(value: number): string {
  return Number.isFinite(value) ? String(value) : JSON.stringify(String(value));
}

/** A query has all values as texts, as Prometheus does. */
function queriedNumber(value: number): string {
  return String(value).replace(/^(-?)Infinity$/, (_, sign: string) => `${sign || '+'}Inf`);
}
