import type { Clock } from '@thugshells/shared/clock.ts';
import { includes, merge, type IdRange } from '@thugshells/shared/database/id-ranges.ts';

import type { DeliveredRows } from '../queue/delivered-rows.ts';
import type { StoredRow, TimeSlice } from '../queue/rows-by-time.ts';
import type { QueryResult } from '../transport/query-client.ts';
import { MissingRows } from './missing-rows.ts';
import { ReceivedTimes, toBucket } from './received-times.ts';
import type { ReceiverSamples, SampleSelection } from './receiver-samples.ts';
import type { ExportedIdentity, SeriesCatalog } from './series-catalog.ts';
import { summarize, type SeriesSamples } from './series-samples.ts';

export interface VerifierOptions {
  readonly clock: Clock;
  readonly rows: DeliveredRows;
  readonly catalog: SeriesCatalog;
  readonly receiver: ReceiverSamples;
  /** The ids that are expected at the receiver, ascending: those delivered when it began. */
  readonly delivered: readonly IdRange[];
  /** Of a series the receiver keeps one sample in each such interval, the last one; 0 or 1: all of them. */
  readonly dedupMs: number;
}

/** Samples of one series that are missing. */
export interface MissingSamples extends SeriesSamples {
  readonly ids: readonly number[];
  /** Whether the receiver has none of the series in the slice. */
  readonly isAbsent: boolean;
}

/** What a slice came to. */
export interface VerifiedSlice {
  readonly slice: TimeSlice;
  /** Delivered samples in it. */
  readonly expected: number;
  /** The ids of all rows that were compared, missing ones included. */
  readonly compared: readonly IdRange[];
  readonly missing: readonly MissingSamples[];
  /** Samples at series of this device that its database does not hold. */
  readonly foreign: readonly SeriesSamples[];
}

/** What is stored and what was received of one series in a slice. */
interface Tally {
  readonly series: ExportedIdentity;
  /** Delivered rows; of those in one interval of deduplication, one. */
  expected: number;
  /** Rows of any state. */
  stored: number;
  lastBucket: number;
  received: number;
  /** Series of the receiver: more than one where labels were added on the way. */
  parts: number;
}

/** Longest slice: its counts take some kilobytes, gzipped. */
const SLICE_MS = 6 * 3_600_000;
/** Times of samples that are read with one request, some 10 bytes each. */
const MAX_TIMES = 20_000;
/** Missing samples of one result. */
const MAX_MISSING = 50_000;
/** A slice this short is not halved. */
const SHORTEST_SLICE_MS = 1_000;
/** VictoriaMetrics shows a sample after a second; a receiver that is being restarted may take longer. */
const VISIBLE_AFTER_MS = 10_000;

/**
 * Compares what was delivered with what the receiver returns, slice by slice: first the number of samples of each series,
 * then, only if one differs, the times of those series; a large slice is halved before. More samples than expected are no
 * fault, but hide others that are missing, so their times are compared too.
 */
export class Verifier {
  readonly #options: VerifierOptions;
  readonly #startedAt: number;
  /** Whether a foreign sample was found: one in the place of a missing one makes the counts equal. */
  #isShared = false;

  constructor(options: VerifierOptions) {
    this.#options = options;
    this.#startedAt = options.clock.monotonic();
  }

  /**
   * Verifies a range of times, oldest slice first. Rows of a slice are read again when it differs: memory holds a number
   * for each series and the missing samples of a slice.
   *
   * @throws AgentError RECEIVER_UNREADABLE, QUERY_REFUSED or ANSWER_TOO_LONG
   */
  async *verify(range: TimeSlice, signal: AbortSignal): AsyncGenerator<VerifiedSlice> {
    const stored = this.#options.rows.findStored(range);
    if (stored === undefined) return;
    for (let { afterMs } = { afterMs: this.#align(stored.afterMs) }; afterMs < stored.throughMs;) {
      const throughMs = afterMs + SLICE_MS >= stored.throughMs ? stored.throughMs : this.#align(afterMs + SLICE_MS);
      yield* this.#compare({ afterMs, throughMs }, signal);
      afterMs = throughMs;
    }
  }

  async *#compare(slice: TimeSlice, signal: AbortSignal): AsyncGenerator<VerifiedSlice> {
    const { clock } = this.#options;
    const { tallies, compared } = await this.#tally(slice, signal);
    const all = [...tallies.values()];
    const expected = sum(all, (each) => each.expected);
    const differing = all.filter(
      (each) => isDiffering(each) || (this.#isShared && each.expected > 0 && each.received > 0),
    );
    if (differing.length === 0) {
      yield { slice, expected, compared, missing: [], foreign: [] };
      return;
    }
    const middleMs = this.#align(Math.floor((slice.afterMs + slice.throughMs) / 2));
    if (
      this.#isTooLarge(differing) &&
      middleMs > slice.afterMs &&
      slice.throughMs - slice.afterMs > SHORTEST_SLICE_MS
    ) {
      yield* this.#compare({ ...slice, throughMs: middleMs }, signal);
      yield* this.#compare({ ...slice, afterMs: middleMs }, signal);
      return;
    }
    const result = await this.#compareTimes(slice, differing, signal);
    this.#isShared ||= result.foreign.length > 0;
    const waitMs = this.#startedAt + VISIBLE_AFTER_MS - clock.monotonic();
    if (result.missing.length > 0 && waitMs > 0) {
      await clock.sleep(waitMs, signal);
      signal.throwIfAborted();
      yield* this.#compare(slice, signal);
    } else yield { ...result, expected, compared };
  }

  #isTooLarge(differing: readonly Tally[]): boolean {
    const times = sum(differing, ({ received, stored }) => (received === 0 ? 0 : Math.max(received, stored)));
    const lost = sum(differing, ({ received, expected }) => (received === 0 ? expected : 0));
    return times > MAX_TIMES || lost > MAX_MISSING;
  }

  /** Counts what is stored and what was received, by series. */
  async #tally(
    slice: TimeSlice,
    signal: AbortSignal,
  ): Promise<{ readonly tallies: Map<string, Tally>; readonly compared: readonly IdRange[] }> {
    const { catalog, receiver, dedupMs } = this.#options;
    const tallies = new Map<string, Tally>();
    const compared: [number, number][] = [];
    await this.#visit(slice, signal, ({ id, timestampMs }, series, isDelivered) => {
      const tally = tallies.get(series.key) ?? createTally(series);
      tallies.set(series.key, tally);
      tally.stored += 1;
      if (!isDelivered) return;
      // The rows of a scrape have the order of their series: the next id mostly is the next row's.
      const run = compared.at(-1);
      if (run !== undefined && id === run[1] + 1) run[1] = id;
      else compared.push([id, id]);
      const bucket = toBucket(timestampMs, dedupMs);
      if (dedupMs <= 1 || bucket !== tally.lastBucket) tally.expected += 1;
      tally.lastBucket = bucket;
    });
    if (tallies.size === 0) return { tallies, compared: [] };
    for (const { labels, value } of await receiver.count(slice, toSelection([...tallies.values()]), signal)) {
      const tally = tallies.get(catalog.toKey(labels));
      // A series that this device has nothing of in this slice is another's, or an older one's.
      if (tally === undefined) continue;
      tally.received += value;
      tally.parts += 1;
    }
    return { tallies, compared: merge(compared) };
  }

  async #compareTimes(
    slice: TimeSlice,
    differing: readonly Tally[],
    signal: AbortSignal,
  ): Promise<Omit<VerifiedSlice, 'expected' | 'compared'>> {
    const { catalog, receiver, dedupMs } = this.#options;
    const received = new Map(differing.map(({ series }) => [series.key, new ReceivedTimes(series, dedupMs)]));
    const some = differing.filter((each) => each.received > 0);
    const results: QueryResult[] = some.length === 0 ? [] : await receiver.readTimes(slice, toSelection(some), signal);
    for (const { labels, timestamps } of results) received.get(catalog.toKey(labels))?.add(timestamps);
    const missing = new MissingRows({ rows: this.#options.rows, dropsNaN: receiver.dropsNaN, dedupMs });
    await this.#visit(slice, signal, (row, { key }, isDelivered) => {
      const isThere = received.get(key)?.take(row.timestampMs) ?? true;
      if (!isThere && isDelivered) missing.add(key, row);
    });
    return {
      slice,
      missing: missing.list().map(([key, rows]) => ({
        ...summarize(
          received.get(key)!.series,
          rows.map(({ timestampMs }) => timestampMs),
        ),
        ids: rows.map(({ id }) => id),
        isAbsent: received.get(key)!.isEmpty,
      })),
      foreign: [...received.values()].flatMap(({ series, others }) =>
        others.length === 0 ? [] : [summarize(series, others)],
      ),
    };
  }

  /** Reads the rows of a slice with their series; between two pages other work goes on. */
  async #visit(
    slice: TimeSlice,
    signal: AbortSignal,
    visit: (row: StoredRow, series: ExportedIdentity, isDelivered: boolean) => void,
  ): Promise<void> {
    const { clock, rows, catalog, delivered } = this.#options;
    for (const page of rows.pages(slice)) {
      for (const row of page) {
        const text = catalog.isText(row.seriesId) ? String(rows.readValue(row.id)) : undefined;
        const series = catalog.identify(row.seriesId, text);
        if (series !== undefined) visit(row, series, includes(delivered, row.id));
      }
      await clock.sleep(0, signal);
      signal.throwIfAborted();
    }
  }

  /** Moves the beginning of a slice to where the receiver cuts too. */
  #align(ms: number): number {
    const { rows, dedupMs } = this.#options;
    return dedupMs > 1 ? Math.floor(ms / dedupMs) * dedupMs : rows.findFreeTime(ms);
  }
}

function createTally(series: ExportedIdentity): Tally {
  return { series, expected: 0, stored: 0, lastBucket: -1, received: 0, parts: 0 };
}

function isDiffering({ expected, received, parts }: Tally): boolean {
  return expected > 0 && (parts > 1 || received !== expected);
}

function toSelection(tallies: readonly Tally[]): SampleSelection {
  return {
    deviceIds: [...new Set(tallies.map(({ series }) => series.labels['device_id'] ?? ''))],
    names: [...new Set(tallies.map(({ series }) => series.name))],
  };
}

function sum<T>(items: readonly T[], of: (item: T) => number): number {
  return items.reduce((total, item) => total + of(item), 0);
}
