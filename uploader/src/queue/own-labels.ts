import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { uploaderSeries } from '@thugshells/shared/metrics/agent-series.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import { isTextByName, parseStored } from '@thugshells/shared/state/stored-values.ts';

/** Reads the labels with which the collector stores the device's health, so that it can be sent as the same series. */
export class OwnLabels {
  readonly #deviceId: string;
  readonly #tags: Statement<[string, string], unknown>;

  constructor(database: Database, deviceId: string) {
    this.#deviceId = deviceId;
    this.#tags = database
      .prepare<[string, string], unknown>(
        'SELECT tags FROM series WHERE name = ? AND device_id = ? ORDER BY id DESC LIMIT 1',
      )
      .pluck();
  }

  /** Returns undefined before the collector has stored that series for the first time. */
  read(): Labels | undefined {
    return parseStored(this.#tags.get(uploaderSeries.health.name, this.#deviceId), isTextByName);
  }
}
