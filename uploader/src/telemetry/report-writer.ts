import type { Clock } from '@thugshells/shared/clock.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';
import { ticks } from '@thugshells/shared/ticker.ts';

import type { ReportTable } from './report-table.ts';

export interface ReportWriterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: Pick<ReportTable, 'save'>;
  readonly report: () => UploaderReport;
}

/** Often enough for the samples that the collector makes of it, once a minute; each write costs the disk a page. */
const WRITE_INTERVAL_MS = 30_000;

/** Writes the uploader's report at start, then whenever it has changed, and at the end. */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  #written = '';
  #isFailing = false;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
  }

  async run(stop: AbortSignal): Promise<void> {
    for await (const _ of ticks(this.#options.clock, { intervalMs: WRITE_INTERVAL_MS, stop })) this.write();
  }

  /** Writes the report unless only its time has changed. A failure is logged once, and retried with the next write. */
  write(): void {
    const { table, report, logger } = this.#options;
    const current = report();
    const text = JSON.stringify({ ...current, writtenAtMs: 0 });
    if (text === this.#written) return;
    try {
      table.save(current);
      this.#written = text;
      this.#isFailing = false;
    } catch (error) {
      // Such as a full disk: health reports it, and the uploads go on.
      if (!this.#isFailing) logger.warn('cannot store the uploader report', toErrorFields(error));
      this.#isFailing = true;
    }
  }
}
