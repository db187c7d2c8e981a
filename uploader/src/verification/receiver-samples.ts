import { toErrorCode } from '@thugshells/shared/errors.ts';

import type { TimeSlice } from '../queue/rows-by-time.ts';
import type { QueryClient, QueryResult } from '../transport/query-client.ts';

/** Whose samples are read. */
export interface SampleSelection {
  readonly deviceIds: readonly string[];
  /** Names as exported. */
  readonly names: readonly string[];
}

/** Series with a label name that no sample has: their names, which Prometheus drops from a count. */
const NAME_LABEL = '__name_index__';
/** Names in one expression of Prometheus, some 100 bytes each; in one of VictoriaMetrics, whose limit is 16 KiB. */
const NAMES_PER_QUERY = 60;

/** Reads counts and times of samples from a receiver. */
export class ReceiverSamples {
  readonly #client: Pick<QueryClient, 'query'>;
  /** Whether the receiver knows `keep_metric_names`, as VictoriaMetrics does; undefined until it was asked. */
  #keepsNames: boolean | undefined;

  constructor(client: Pick<QueryClient, 'query'>) {
    this.#client = client;
  }

  /** Whether the receiver drops NaN: those that know the functions of VictoriaMetrics do. */
  get dropsNaN(): boolean {
    return this.#keepsNames === true;
  }

  /**
   * Counts the samples of each series in a slice; series without one are missing.
   *
   * @throws AgentError RECEIVER_UNREADABLE, QUERY_REFUSED or ANSWER_TOO_LONG
   */
  async count(slice: TimeSlice, selection: SampleSelection, signal: AbortSignal): Promise<QueryResult[]> {
    if (this.#keepsNames !== false) {
      try {
        const counted = await this.#countKeepingNames(slice, selection, signal);
        this.#keepsNames = true;
        return counted;
      } catch (error) {
        if (this.#keepsNames === true || toErrorCode(error) !== 'QUERY_REFUSED') throw error;
      }
    }
    const counted = await this.#countByName(slice, selection, signal);
    this.#keepsNames = false;
    return counted;
  }

  /** Counts the samples of some devices in a slice, of whatever series; undefined if the receiver does not count so many. */
  async countAll(slice: TimeSlice, deviceIds: readonly string[], signal: AbortSignal): Promise<number | undefined> {
    const expression = `sum(count_over_time({${matchAny('device_id', deviceIds)}}${toWindow(slice)}))`;
    try {
      return (await this.#query(expression, slice, signal))[0]?.value ?? 0;
    } catch (error) {
      if (toErrorCode(error) === 'QUERY_REFUSED') return undefined;
      throw error;
    }
  }

  /** Reads the times of the samples of each series in a slice. */
  async readTimes(slice: TimeSlice, selection: SampleSelection, signal: AbortSignal): Promise<QueryResult[]> {
    const results: QueryResult[] = [];
    for (const names of split(selection.names)) {
      const expression = `{${matchAny('__name__', names)},${matchDevices(selection)}}${toWindow(slice)}`;
      results.push(...(await this.#query(expression, slice, signal)));
    }
    return results;
  }

  async #countKeepingNames(slice: TimeSlice, selection: SampleSelection, signal: AbortSignal): Promise<QueryResult[]> {
    const expression = `count_over_time({${matchDevices(selection)}}${toWindow(slice)}) keep_metric_names`;
    return this.#query(expression, slice, signal);
  }

  /** Prometheus refuses to count series of two names at once, which would have the same labels without them. */
  async #countByName(slice: TimeSlice, selection: SampleSelection, signal: AbortSignal): Promise<QueryResult[]> {
    const results: QueryResult[] = [];
    for (const names of split(selection.names)) {
      const expression = names
        .map((name, index) => {
          const counted = `count_over_time({${match('__name__', name)},${matchDevices(selection)}}${toWindow(slice)})`;
          return `label_replace(${counted},"${NAME_LABEL}","${index}","","")`;
        })
        .join(' or ');
      for (const { labels, ...rest } of await this.#query(expression, slice, signal)) {
        const { [NAME_LABEL]: index, ...own } = labels;
        results.push({ ...rest, labels: { ...own, __name__: names[Number(index)] ?? '' } });
      }
    }
    return results;
  }

  #query(expression: string, { throughMs }: TimeSlice, signal: AbortSignal): Promise<QueryResult[]> {
    return this.#client.query(expression, throughMs, signal);
  }
}

function split(names: readonly string[]): string[][] {
  const parts: string[][] = [];
  for (let at = 0; at < names.length; at += NAMES_PER_QUERY) parts.push(names.slice(at, at + NAMES_PER_QUERY));
  return parts;
}

function toWindow({ afterMs, throughMs }: TimeSlice): string {
  return `[${throughMs - afterMs}ms]`;
}

function matchDevices({ deviceIds }: SampleSelection): string {
  return matchAny('device_id', deviceIds);
}

function matchAny(label: string, values: readonly string[]): string {
  if (values.length === 1) return match(label, values[0]!);
  const pattern = values.map((value) => value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|');
  return `${label}=~${JSON.stringify(pattern)}`;
}

function match(label: string, value: string): string {
  return `${label}=${JSON.stringify(value)}`;
}
