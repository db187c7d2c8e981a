/** What a database is filled with. */
export interface Filling {
  readonly samples: number;
  readonly series: number;
  readonly deviceId?: string;
}

/**
 * Makes a database with a backlog as the collector leaves it: scrapes of all series, a second apart, ending now.
 * Returns how many samples it holds.
 */
export function fillDatabase(path: string, filling: Filling): number;
