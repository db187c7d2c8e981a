/**
 * How many pages a commit of samples writes to the WAL, by the layout of the table: today's, and those that were tried in its
 * place. The samples' table alone, without the books and the uploader: counts of pages, whatever the machine.
 *
 *   node tests/bench/layouts.mjs [--page-size 512] [--commits 3000] [--json]
 */
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { prepare } from '../../deploy/scripts/prepare.mjs';
import { printFigures } from '../support/figures.ts';

const { values: options } = parseArgs({
  options: {
    'page-size': { type: 'string', default: '512' },
    commits: { type: 'string', default: '3000' },
    json: { type: 'boolean', default: false },
  },
});
const PAGE_BYTES = Number(options['page-size']);
const COMMITS = Number(options.commits);
/** Of one collector, of those that are due at once, of all, and of a minute with FLUSH_INTERVAL=60s. */
const SAMPLES = [12, 36, 60, 360];
const FRAME_HEADER_BYTES = 24;
const START_MS = 1_700_000_000_000;
const COMMIT_INTERVAL_MS = 10_000;
/** Ids of a device that has run for some days: three bytes each. */
const FIRST_ID = 1_000_000;

const ROWS =
  'CREATE TABLE samples (id INTEGER PRIMARY KEY, series_id INTEGER NOT NULL, timestamp_ms INTEGER NOT NULL, value);';
const SCRAPES = 'CREATE TABLE scrapes (first_id INTEGER PRIMARY KEY, timestamp_ms INTEGER NOT NULL);';
const insertRow = 'INSERT INTO samples (id, series_id, timestamp_ms, value) VALUES (@id, @seriesId, @timeMs, @value)';
const insertScrape = 'INSERT INTO scrapes (first_id, timestamp_ms) VALUES (@id, @timeMs)';

/** What is created, and what is run for each sample and for each commit. */
const LAYOUTS = {
  'index on time and series (as it is)': {
    schema: `${ROWS} CREATE UNIQUE INDEX samples_identity ON samples (timestamp_ms, series_id)`,
    sample: [insertRow],
  },
  'no index': { schema: ROWS, sample: [insertRow] },
  'a row for each commit, no index': {
    schema: ROWS + SCRAPES,
    sample: [insertRow],
    commit: [insertScrape],
  },
  'the same, without the time in the samples': {
    schema: `CREATE TABLE samples (id INTEGER PRIMARY KEY, series_id INTEGER NOT NULL, value); ${SCRAPES}`,
    sample: ['INSERT INTO samples (id, series_id, value) VALUES (@id, @seriesId, @value)'],
    commit: [insertScrape],
  },
  'an index of one row in 16': {
    schema: `${ROWS} CREATE INDEX samples_by_time ON samples (timestamp_ms, series_id) WHERE id % 16 = 0`,
    sample: [insertRow],
  },
  'a table with time and series as its integer key': {
    schema: `${ROWS} CREATE TABLE keys (key INTEGER PRIMARY KEY, id INTEGER NOT NULL)`,
    sample: [insertRow, 'INSERT INTO keys (key, id) VALUES ((@timeMs << 20) | @seriesId, @id)'],
  },
  'WITHOUT ROWID by time and series, with the id': {
    schema:
      'CREATE TABLE samples (timestamp_ms, series_id, id, value, PRIMARY KEY (timestamp_ms, series_id)) WITHOUT ROWID',
    sample: [insertRow],
  },
  'WITHOUT ROWID by id, index on time and series': {
    schema: `${ROWS.replace(');', ') WITHOUT ROWID;')} CREATE UNIQUE INDEX samples_identity ON samples (timestamp_ms, series_id)`,
    sample: [insertRow],
  },
};

await prepare();
const { openDatabase } = await import('../../shared/src/database/open.ts');

/** Half of the values are integers that grow, half have a digit after the point. */
function sampleAt(commit, seriesId, id) {
  const timeMs = BigInt(START_MS + commit * COMMIT_INTERVAL_MS);
  const value = seriesId % 2 === 0 ? BigInt(commit * 1_500 + seriesId) : ((seriesId * 31 + commit * 17) % 1_000) / 10;
  return { id, seriesId, timeMs, value };
}

/** SQLite changes the size of an empty database's pages, but not in WAL mode. */
function setPageSize(database) {
  database.pragma('journal_mode = DELETE');
  database.pragma(`page_size = ${PAGE_BYTES}`);
  database.exec('VACUUM');
  database.pragma('journal_mode = WAL');
}

/** Pages of the WAL that a commit writes, on average. */
function pagesOfCommit({ schema, sample, commit = [] }, samples) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-layouts-'));
  try {
    const path = join(folder, 'samples.db');
    const database = openDatabase(path, { create: true });
    setPageSize(database);
    database.exec(schema);
    const [ofSample, ofCommit] = [sample, commit].map((statements) => statements.map((sql) => database.prepare(sql)));
    const write = database.transaction((number) => {
      for (let at = 0; at < samples; at++) {
        const row = sampleAt(number, at + 1, FIRST_ID + number * samples + at);
        if (at === 0) for (const statement of ofCommit) statement.run(row);
        for (const statement of ofSample) statement.run(row);
      }
    });
    const walBytes = () => statSync(`${path}-wal`).size;
    const before = walBytes();
    for (let number = 0; number < COMMITS; number++) write(number);
    const bytes = walBytes() - before;
    database.close();
    return bytes / (PAGE_BYTES + FRAME_HEADER_BYTES) / COMMITS;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const figures = Object.entries(LAYOUTS).flatMap(([name, layout]) =>
  SAMPLES.map((samples) => ({
    name: `${name}: ${samples} samples`,
    value: pagesOfCommit(layout, samples),
    unit: 'pages a commit',
  })),
);
printFigures(`${COMMITS} commits, pages of ${PAGE_BYTES} bytes`, figures, options.json);
