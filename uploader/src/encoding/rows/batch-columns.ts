import { MAX_TIMESTAMP_MS, MIN_TIMESTAMP_MS } from '@thugshells/shared/metrics/sample.ts';
import { readStoredValue } from '@thugshells/shared/metrics/sample-value.ts';
import {
  findTimestampRefusal,
  findValueRefusal,
  hasSpecialValues,
} from '@thugshells/shared/metrics/sample-refusals.ts';
import type { RemoteProtocol } from '@thugshells/shared/metrics/series-limits.ts';
import { isCount } from '@thugshells/shared/state/stored-values.ts';

import { joinPrinted, NumericText, printValue, toColumn } from './numeric-text.ts';
import type { PrintedRows, SampleRow } from './row-reader.ts';

/** A row that no receiver would store. */
export interface RefusedRow {
  readonly id: number;
  readonly reason: string;
}

/** What the receiver accepts. */
export interface AcceptedRows {
  /** The times, both included; Unix milliseconds, or infinite. */
  readonly earliestMs: number;
  readonly latestMs: number;
  /** Which values there are. */
  readonly protocol: RemoteProtocol;
}

/** The reason for which a row is refused that the receiver would drop with a 204, since it does not keep samples that old. */
export const TOO_OLD_REASON = 'older than the receiver accepts';

/**
 * The samples of a batch in the order of their ids, column by column. One object is reused for all batches: what it holds
 * beyond `count` belongs to an earlier batch.
 */
export class BatchColumns {
  count = 0;
  ids = new Float64Array();
  readonly series = new NumericText();
  /** Corrected times in Unix milliseconds. */
  readonly timestamps = new NumericText();
  readonly values = new NumericText();
  /** The earliest of all times, also of rows that are too old; Infinity for none. */
  earliestMs = Infinity;
  /** The value of each sample that is a text, by its index; its printed value is 1. Undefined if all are numbers. */
  texts: readonly (string | undefined)[] | undefined;

  /** Reads rows that are all valid: values but infinity, at times that the receiver stores; returns false if one is not. */
  readPrinted(parts: readonly PrintedRows[], accepted: AcceptedRows): boolean {
    const count = parts.reduce((sum, part) => sum + part.count, 0);
    const join = (of: (part: PrintedRows) => Uint8Array): Uint8Array => joinPrinted(parts.map(of));
    this.#begin(count);
    return (
      this.series.readWhole(
        join((part) => part.seriesIds),
        count,
      ) &&
      this.timestamps.readWhole(
        join((part) => part.timestamps),
        count,
      ) &&
      this.values.readValues(
        join((part) => part.values),
        count,
      ) &&
      (!this.values.hasSpecials || hasSpecialValues(accepted.protocol)) &&
      this.#areTimesWithin(accepted) &&
      this.#readIds(parts)
    );
  }

  /**
   * Reads the valid rows, and returns the others with the reason. Stored rows may be older than the rules: those of the first
   * versions were never checked.
   */
  readSound(rows: readonly SampleRow[], accepted: AcceptedRows): RefusedRow[] {
    const refusals = rows.map(({ seriesId, value, timestampMs }) => {
      const refusal =
        findSeriesIdRefusal(seriesId) ??
        findValueRefusal(readStoredValue(value) ?? value, accepted.protocol) ??
        findTimestampRefusal(timestampMs);
      return refusal ?? findTimeRefusal(timestampMs as number, accepted);
    });
    const sound = rows.filter((_, index) => refusals[index] === undefined);
    const print = (of: (row: SampleRow) => number | string): Uint8Array => toColumn(sound.map(of));
    this.#begin(sound.length);
    this.earliestMs = rows.reduce(
      (earliest, { timestampMs }, index) =>
        refusals[index] === undefined || refusals[index] === TOO_OLD_REASON
          ? Math.min(earliest, timestampMs as number)
          : earliest,
      Infinity,
    );
    this.ids.set(sound.map(({ id }) => id));
    this.series.readWhole(
      print(({ seriesId }) => seriesId as number),
      this.count,
    );
    this.timestamps.readWhole(
      print(({ timestampMs }) => timestampMs as number),
      this.count,
    );
    this.values.readValues(
      print(({ value, printedValue }) =>
        Number.isFinite(value) ? printedValue : printValue(readStoredValue(value)!, accepted.protocol),
      ),
      this.count,
    );
    this.texts = sound.map(({ value }) => (typeof value === 'string' ? value : undefined));
    return rows.flatMap(({ id }, index) => (refusals[index] === undefined ? [] : [{ id, reason: refusals[index] }]));
  }

  /** Releases what was read from the database. */
  release(): void {
    for (const column of [this.series, this.timestamps, this.values]) column.release();
    this.texts = undefined;
  }

  #begin(count: number): void {
    this.count = count;
    this.texts = undefined;
    if (this.ids.length < count) this.ids = new Float64Array(count);
  }

  #areTimesWithin({ earliestMs, latestMs }: AcceptedRows): boolean {
    const { numbers } = this.timestamps;
    const first = Math.max(MIN_TIMESTAMP_MS, earliestMs);
    const last = Math.min(MAX_TIMESTAMP_MS, latestMs);
    let earliest = Infinity;
    for (let place = 0; place < this.count; place++) {
      const time = numbers[place]!;
      if (time < first || time > last) return false;
      if (time < earliest) earliest = time;
    }
    this.earliestMs = earliest;
    return true;
  }

  #readIds(parts: readonly PrintedRows[]): boolean {
    let place = 0;
    for (const { firstId, ids, count } of parts) {
      if (ids === undefined) for (let index = 0; index < count; index++) this.ids[place + index] = firstId + index;
      else {
        const printed = new NumericText();
        if (!printed.readWhole(ids, count)) return false;
        this.ids.set(printed.numbers, place);
      }
      place += count;
    }
    return true;
  }
}

function findTimeRefusal(timestampMs: number, { earliestMs, latestMs }: AcceptedRows): string | undefined {
  if (timestampMs > latestMs) return 'more than two days in the future';
  return timestampMs < earliestMs ? TOO_OLD_REASON : undefined;
}

/** A row that names no series by its id must not become a sample of another one. */
function findSeriesIdRefusal(seriesId: unknown): string | undefined {
  return isCount(seriesId) ? undefined : 'its series cannot be read';
}
