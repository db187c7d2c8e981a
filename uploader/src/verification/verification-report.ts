import { toExcerpt } from '@thugshells/shared/printable.ts';
import { formatTime } from '@thugshells/shared/state/stored-values.ts';

import type { TimeSlice } from '../queue/rows-by-time.ts';
import type { ExportedIdentity } from './series-catalog.ts';
import type { SeriesSamples } from './series-samples.ts';
import type { VerifiedSlice } from './verifier.ts';

/** What was not compared, and why. */
interface LeftOut {
  readonly reason: string;
  readonly from?: string;
  readonly to?: string;
}

/** Series of a report; the counts are of all. */
const MAX_SERIES = 10_000;
const MAX_LINES = 50;
const MAX_LINE_LENGTH = 2_000;

/** Gathers the results of a verification by series; its size does not depend on the number of samples. */
export class VerificationReport {
  readonly range: TimeSlice;
  readonly #address: string;
  readonly #missing = new Map<string, SeriesSamples>();
  readonly #foreign = new Map<string, SeriesSamples>();
  readonly #leftOut: LeftOut[] = [];
  verified = 0;
  missing = 0;
  foreign = 0;
  requeued = 0;

  constructor(range: TimeSlice, address: string) {
    this.range = range;
    this.#address = address;
  }

  add({ expected, missing, foreign }: VerifiedSlice, requeued: number): void {
    this.verified += expected;
    this.requeued += requeued;
    for (const each of missing) this.missing += each.count;
    for (const each of foreign) this.foreign += each.count;
    gather(this.#missing, missing);
    gather(this.#foreign, foreign);
  }

  /** Adds what cannot be judged. */
  leaveOut(reason: string, fromMs?: number, toMs?: number): void {
    const times = fromMs === undefined || toMs === undefined ? {} : { from: formatTime(fromMs), to: formatTime(toMs) };
    this.#leftOut.push({ reason, ...times });
  }

  toJson(isRequeued: boolean): string {
    const { verified, missing, foreign, requeued, range } = this;
    const report = {
      from: formatTime(range.afterMs + 1),
      to: formatTime(range.throughMs),
      receiver: this.#address,
      delivered: verified,
      missing,
      ...(isRequeued ? { requeued } : {}),
      series: [...this.#missing.values()].map(toObject),
      foreign: { samples: foreign, series: [...this.#foreign.values()].map(toObject) },
      not_judged: this.#leftOut,
    };
    return `${JSON.stringify(report, null, 2)}\n`;
  }

  /** @param isWhole false if the receiver could not be read to the end */
  toText(isRequeued: boolean, isWhole: boolean): string {
    const { verified, missing, foreign, requeued, range } = this;
    const lines = [
      `${verified} delivered samples from ${formatTime(range.afterMs + 1)} to ${formatTime(range.throughMs)} compared with ${this.#address}`,
      missing === 0
        ? `nothing is missing${isWhole ? '' : ' of these, and the rest was not compared'}`
        : `${missing} samples missing at the receiver, of ${this.#missing.size} series:`,
      ...toLines(this.#missing),
      ...(isRequeued ? [`requeued ${requeued} samples`] : []),
      ...(missing > 0 && !isRequeued ? ['to send them again, run the same with --requeue'] : []),
      ...(foreign === 0
        ? []
        : [
            `${foreign} samples at series of this device are not in its database; check that no other device has its THUGSHELLS_DEVICE_ID:`,
            ...toLines(this.#foreign),
          ]),
      ...this.#leftOut.map(
        ({ reason, from, to }) => `not judged: ${reason}${from === undefined ? '' : ` (${from} to ${to})`}`,
      ),
    ];
    return `${lines.join('\n')}\n`;
  }
}

function gather(known: Map<string, SeriesSamples>, found: readonly SeriesSamples[]): void {
  for (const { series, count, firstMs, lastMs } of found) {
    const before = known.get(series.key);
    if (before === undefined && known.size >= MAX_SERIES) continue;
    known.set(series.key, {
      series,
      count: count + (before?.count ?? 0),
      firstMs: Math.min(firstMs, before?.firstMs ?? firstMs),
      lastMs: Math.max(lastMs, before?.lastMs ?? lastMs),
    });
  }
}

function toObject({ series, count, firstMs, lastMs }: SeriesSamples): object {
  return { labels: series.labels, count, first: formatTime(firstMs), last: formatTime(lastMs) };
}

function toLines(found: ReadonlyMap<string, SeriesSamples>): string[] {
  const lines = [...found.values()].slice(0, MAX_LINES).map(({ series, count, firstMs, lastMs }) => {
    const text = `  ${count} of ${describe(series)} from ${formatTime(firstMs)} to ${formatTime(lastMs)}`;
    return toExcerpt(text, MAX_LINE_LENGTH);
  });
  return found.size > MAX_LINES ? [...lines, `  … and of ${found.size - MAX_LINES} more series; use --json`] : lines;
}

function describe({ labels, name }: ExportedIdentity): string {
  const others = Object.entries(labels).filter(([label]) => label !== '__name__');
  return `${name}{${others.map(([label, value]) => `${label}=${JSON.stringify(value)}`).join(',')}}`;
}
