import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { PlotLine, toRate, type PlotPoint } from './plot-line.ts';
import { PLOTS, type PlotPart, type PlotSource } from './plots.ts';

/** Lines of one plot that can be distinguished. */
const MAX_LINES = 8;

/** A series of the database. */
export interface KnownSeries {
  readonly id: number;
  readonly name: string;
  readonly labels: Labels;
}

/** One plot: each line has a mean, a minimum and a maximum, or null, at each time. */
export interface Plot {
  readonly id: string;
  readonly title: string;
  readonly unit: PlotSource['unit'];
  /** What its parts are; missing if it has none. */
  readonly by?: PlotPart;
  /** Lines that are not shown because there are too many. */
  readonly linesLeftOut: number;
  readonly bucketSeconds: number;
  /** Corrected times of the middle of each bucket, Unix seconds, ascending. */
  readonly times: readonly number[];
  readonly lines: readonly {
    readonly label: string;
    readonly values: readonly (number | null)[];
    readonly min: readonly (number | null)[];
    readonly max: readonly (number | null)[];
  }[];
}

interface Member {
  readonly line: PlotLine;
  readonly isRate: boolean;
  /** The first and the last sample so far: a rate needs two that follow each other. */
  first: PlotPoint | undefined;
  last: PlotPoint | undefined;
}

interface SourceLines {
  readonly source: PlotSource;
  readonly lines: readonly PlotLine[];
  readonly linesLeftOut: number;
}

/** The plots of one range: rows are added at either end, and only their buckets are kept. */
export class PlotSet {
  readonly #bucketMs: number;
  readonly #members = new Map<number, Member>();
  readonly #plots: readonly SourceLines[];

  /** @param parts ids of plots whose parts are the lines */
  constructor(series: readonly KnownSeries[], bucketMs: number, parts: readonly string[]) {
    this.#bucketMs = bucketMs;
    this.#plots = PLOTS.map((source) => this.#toLines(source, series, parts.includes(source.id)));
  }

  /** The ids of the series whose rows are added. */
  get seriesIds(): number[] {
    return [...this.#members.keys()];
  }

  /** Adds a row that is later than all others of its series, or one that is earlier. */
  add(seriesId: number, point: PlotPoint, isLater: boolean): void {
    const member = this.#members.get(seriesId);
    if (member === undefined) return;
    const { line, isRate, first, last } = member;
    if (!isRate) line.add(point);
    else {
      const rate = isLater ? last && toRate(last, point) : first && toRate(point, first);
      if (rate !== undefined) line.add(rate);
    }
    if (isLater || last === undefined) member.last = point;
    if (!isLater || first === undefined) member.first = point;
  }

  /** Ends what was added: rows of the same time do not follow. */
  flush(): void {
    for (const { lines } of this.#plots) for (const line of lines) line.flush();
  }

  /** Returns the plots that have something to show from a time on, and drops what is older. */
  toPlots(fromMs: number): Plot[] {
    const bucketSeconds = this.#bucketMs / 1000;
    return this.#plots
      .map(({ source: { id, title, unit, parts }, lines, linesLeftOut }) => {
        const keys = [...new Set(lines.flatMap((line) => line.prune(fromMs)))].sort((a, b) => a - b);
        return {
          ...{ id, title, unit, linesLeftOut, bucketSeconds },
          ...(parts === undefined ? {} : { by: parts.by }),
          times: keys.map((key) => (key + 0.5) * bucketSeconds),
          lines: lines.map((line) => ({
            label: line.label,
            values: line.values(keys, 'mean'),
            min: line.values(keys, 'min'),
            max: line.values(keys, 'max'),
          })),
        };
      })
      .filter(({ times }) => times.length > 1);
  }

  #toLines(source: PlotSource, series: readonly KnownSeries[], showsParts: boolean): SourceLines {
    const findLine = showsParts ? (source.parts?.findLine ?? source.findLine) : source.findLine;
    const lines = new Map<string, PlotLine>();
    let linesLeftOut = 0;
    for (const { id, name, labels } of series.filter((each) => source.names.includes(each.name))) {
      const label = findLine(name, labels);
      if (label === undefined) continue;
      if (!lines.has(label) && lines.size >= MAX_LINES) {
        linesLeftOut += 1;
        continue;
      }
      const line = lines.get(label) ?? new PlotLine(label, this.#bucketMs);
      lines.set(label, line);
      this.#members.set(id, { line, isRate: source.isRate === true, first: undefined, last: undefined });
    }
    return { source, lines: [...lines.values()], linesLeftOut };
  }
}
