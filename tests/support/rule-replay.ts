import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { Labels } from '@thugshells/shared/metrics/sample.ts';

import { selectRules } from './alert-rules.ts';
import type { VictoriaMetrics } from './victoria-metrics.ts';
import { replayRules } from './vmalert.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

/** A series with a sample in each minute that it has a value at. */
export interface HistorySeries {
  readonly name: string;
  readonly labels: Labels;
  readonly value: (minute: number) => number | undefined;
}

/** When an alert fired: the first and the last minute of each stretch. */
export interface Firing {
  readonly labels: Labels;
  readonly stretches: readonly (readonly [number, number])[];
}

/** A VictoriaMetrics with a history that ends at a whole hour, over which rules are evaluated. */
export class RuleReplay {
  readonly server: VictoriaMetrics;
  readonly #beginMs: number;
  readonly #minutes: number;

  constructor(server: VictoriaMetrics, minutes: number) {
    this.server = server;
    this.#minutes = minutes;
    // The rule of an hour is evaluated at whole hours.
    const endMs = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
    this.#beginMs = endMs - minutes * MINUTE_MS;
  }

  at(minute: number): Date {
    return new Date(this.#beginMs + minute * MINUTE_MS);
  }

  async write(series: readonly HistorySeries[]): Promise<void> {
    for (const { name, labels, value } of series) {
      const minutes = Array.from({ length: this.#minutes }, (_, minute) => minute).filter(
        (m) => value(m) !== undefined,
      );
      const metric = { __name__: name, ...labels };
      const timestamps = minutes.map((minute) => this.at(minute).getTime());
      const body = JSON.stringify({ metric, values: minutes.map(value), timestamps });
      const request = { method: 'POST', body, headers: { connection: 'close' } };
      const { status } = await fetch(`${this.server.url}/api/v1/import`, request);
      if (status !== 204) throw new Error(`cannot import ${name}: ${status}`);
    }
    await this.server.flush();
  }

  /** Evaluates rules over the history, by their names. */
  async run(names: readonly string[]): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'rules-'));
    try {
      const file = join(folder, 'rules.yml');
      writeFileSync(file, selectRules(names));
      await replayRules(this.server.url, this.at(0), this.at(this.#minutes), file);
      await this.server.flush();
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  async firing(alert: string): Promise<Firing[]> {
    const series = await this.server.export(`ALERTS{alertstate="firing",alertname="${alert}"}`);
    return series.map(({ metric, timestamps }) => ({
      labels: metric,
      stretches: findStretches(timestamps.map((ms) => Math.round((ms - this.#beginMs) / MINUTE_MS))),
    }));
  }
}

function findStretches(minutes: readonly number[]): (readonly [number, number])[] {
  const begins = minutes.filter((minute, index) => index === 0 || minute - minutes[index - 1]! > 1);
  const ends = minutes.filter((minute, index) => index === minutes.length - 1 || minutes[index + 1]! - minute > 1);
  return begins.map((begin, index) => [begin, ends[index]!]);
}
