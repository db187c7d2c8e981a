import type { Clock } from '@thugshells/shared/clock.ts';
import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { toErrorFields, type Logger } from '@thugshells/shared/logging/logger.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

/** The report's place in the database. */
export class ReportTable {
  readonly #save: Statement;
  readonly #load: Statement<[], string | null>;

  constructor(database: Database) {
    this.#save = database.prepare('UPDATE uploader_state SET report = ?');
    this.#load = database.prepare<[], string | null>('SELECT report FROM uploader_state').pluck();
  }

  /** Undefined where no uploader has run yet. */
  load(): UploaderReport | undefined {
    const report = this.#load.get() ?? undefined;
    return report === undefined ? undefined : (JSON.parse(report) as UploaderReport);
  }

  save(report: UploaderReport): void {
    this.#save.run(JSON.stringify(report));
  }
}

export interface ReportWriterOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly table: Pick<ReportTable, 'save'>;
  readonly report: () => UploaderReport;
}

/** Often enough for the samples made of it, once a minute; each is a page written to the disk. */
const WRITE_INTERVAL_MS = 30_000;

/** Writes the report at start, then where something in it has changed, and at the end. */
export class ReportWriter {
  readonly #options: ReportWriterOptions;
  #written = '';
  #isFailing = false;

  constructor(options: ReportWriterOptions) {
    this.#options = options;
  }

  async run(stop: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      this.write();
      await this.#options.clock.sleep(WRITE_INTERVAL_MS, stop);
    }
  }

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
      // A disk that is full: health tells of it, and the uploads go on.
      if (!this.#isFailing) logger.warn('the uploader’s report could not be stored', toErrorFields(error));
      this.#isFailing = true;
    }
  }
}
