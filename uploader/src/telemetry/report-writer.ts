import type { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

import type { ReportTable } from './report-table.ts';

export interface ReportWriterOptions {
  readonly recurring: RecurringWork;
  readonly table: Pick<ReportTable, 'save'>;
  readonly report: () => UploaderReport;
}

/** Often enough for the samples that the collector makes of it, once a minute; each write costs the disk a page. */
const WRITE_INTERVAL_MS = 30_000;

/** Writes the uploader's report at start, then whenever it has changed, and at the end. */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  readonly #task = { message: 'cannot store the uploader report', work: () => this.#write() };
  #written = '';

  constructor(options: ReportWriterOptions) {
    this.#options = options;
  }

  async run(stop: AbortSignal): Promise<void> {
    await this.#options.recurring.run(this.#task, { intervalMs: WRITE_INTERVAL_MS, stop });
  }

  /** Writes the report unless only its time has changed. A failure is logged once, and retried with the next write. */
  async write(): Promise<void> {
    await this.#options.recurring.attempt(this.#task);
  }

  #write(): void {
    const { table, report } = this.#options;
    const current = report();
    const text = JSON.stringify({ ...current, writtenAtMs: 0 });
    if (text === this.#written) return;
    table.save(current);
    this.#written = text;
  }
}
