import type { Database, Statement } from '@thugshells/shared/database/open.ts';
import type { UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

/** Reads and writes the uploader's report in the table `uploader_state`. */
export class ReportTable {
  readonly #save: Statement;
  readonly #load: Statement<[], string | null>;

  constructor(database: Database) {
    this.#save = database.prepare('UPDATE uploader_state SET report = ?');
    this.#load = database.prepare<[], string | null>('SELECT report FROM uploader_state').pluck();
  }

  /** Returns the last report; undefined if no uploader has run yet. */
  load(): UploaderReport | undefined {
    const report = this.#load.get() ?? undefined;
    return report === undefined ? undefined : (JSON.parse(report) as UploaderReport);
  }

  save(report: UploaderReport): void {
    this.#save.run(JSON.stringify(report));
  }
}
