import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import { silentLogger } from '@thugshells/shared/logging/silent-logger.ts';
import type { Logger } from '@thugshells/shared/logging/types.ts';
import { StoredValues } from '@thugshells/shared/state/stored-values.ts';
import { readReport, type UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

/** Reads and writes the uploader's report in the table `uploader_state`. */
export class ReportTable {
  readonly #save: Statement;
  readonly #load: Statement<[], unknown>;
  readonly #values: StoredValues;

  constructor(database: Database, logger: Logger = silentLogger) {
    this.#values = new StoredValues('uploader_state', logger);
    this.#save = database.prepare('UPDATE uploader_state SET report = ?');
    this.#load = database.prepare<[], unknown>('SELECT report FROM uploader_state').pluck();
  }

  /** Returns the last report; undefined if no uploader has run yet, or it is unreadable. */
  load(): UploaderReport | undefined {
    return readReport(this.#load.get(), this.#values);
  }

  save(report: UploaderReport): void {
    this.#save.run(JSON.stringify(report));
  }
}
