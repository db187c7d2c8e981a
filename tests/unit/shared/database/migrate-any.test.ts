import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { migrate } from '../../../../shared/src/database/migrate.ts';
import type { Database } from '../../../../shared/src/database/open.ts';
import { SCHEMA_VERSION } from '../../../../shared/src/database/schema-version.ts';
import { canonicalTags, type Labels } from '../../../../shared/src/metrics/sample.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { fingerprint, toVersionTwo, versionOne } from '../../../support/old-databases.ts';

const folder = useTemporaryFolder();
/** Few times and names, so that rows of one sample are many. */
const times = fc.constantFrom(
  1_700_000_000_000,
  1_700_000_000_001,
  1_700_000_060_000,
  0,
  -5,
  1_000,
  253_402_300_800_000,
);
const names = fc.constantFrom('cpu.usage', 'cpu.Usage', 'memory.used', '', 'ä"\\', "it's");
const devices = fc.constantFrom(null, '', 'b1', 'b"2');
/** SQLite keeps no sign of a zero. */
const values = fc.oneof(
  fc.double({ noNaN: true }).map((value) => value + 0),
  fc.integer(),
  fc.constant(null),
);

/** A row of the first milestone; further columns are those of version 2. */
interface OldRow {
  readonly id: number;
  readonly timestamp_ms: number;
  readonly metric_name: string;
  readonly metric_value: number | null;
  readonly device_id: string | null;
  readonly value_text?: string | null;
  readonly value_type?: 0 | 1;
  readonly tags?: string | null;
  readonly session_id?: string | null;
  readonly uploaded?: number;
  readonly priority?: number;
}

/** A text of tags, and what it means. */
interface OldTags {
  readonly text: string | null;
  readonly means: Labels;
}

const label = fc.constantFrom('core', 'device', '', 'ü', 'a"b');
const labels = fc.dictionary(label, fc.constantFrom('0', '', 'x y', '"'), { maxKeys: 3 });
const tags: fc.Arbitrary<OldTags> = fc.oneof(
  fc.constantFrom<OldTags>({ text: null, means: {} }, { text: '', means: {} }),
  fc.tuple(labels, fc.boolean(), fc.constantFrom(0, 1)).map(([means, reversed, blanks]): OldTags => {
    const entries = Object.entries(means);
    return {
      text: JSON.stringify(Object.fromEntries(reversed ? entries.reverse() : entries), undefined, blanks),
      means,
    };
  }),
  fc
    .constantFrom('{"core":', 'core=0', '[]', 'null', '7', '"x"')
    .map((text): OldTags => ({ text, means: { tags: text } })),
);

const versionOneRow = fc.record({ timestamp_ms: times, metric_name: names, metric_value: values, device_id: devices });
const versionTwoRow = fc.record({
  timestamp_ms: times,
  metric_name: names,
  device_id: devices,
  metric_value: values,
  value_text: fc.constantFrom(null, '', '5.10', 'x'),
  value_type: fc.constantFrom<0 | 1>(0, 1),
  tags,
  session_id: fc.constantFrom(null, 's1', 's2'),
  uploaded: fc.constantFrom(0, 0, 1, 1, 2, 3),
  priority: fc.integer({ min: 0, max: 3 }),
  /** Stored without its key, as a program of another rule left it. */
  isKeyless: fc.boolean(),
  gap: fc.constantFrom(1, 1, 1, 2, 40),
});

function insert(database: Database, row: OldRow): boolean {
  const columns = Object.keys(row);
  return (
    database
      .prepare(`INSERT INTO metrics (${columns.join(', ')}) VALUES (${columns.map((name) => `@${name}`).join(', ')})`)
      .run(row).changes > 0
  );
}

/** What makes rows one sample, by what they mean. */
function sampleOf(row: OldRow, means: Labels): string {
  return JSON.stringify([
    row.metric_name,
    row.timestamp_ms,
    row.device_id ?? '',
    canonicalTags(means),
    row.value_type ?? 0,
  ]);
}

/** The rows that are to stand in the view: the first of each sample, as it was. */
function expectedOf(rows: readonly { readonly row: OldRow; readonly means: Labels }[]): unknown[][] {
  const firsts = new Map<string, unknown[]>();
  for (const { row, means } of rows) {
    const sample = sampleOf(row, means);
    if (firsts.has(sample)) continue;
    const type = row.value_type ?? 0;
    const uploaded = row.uploaded ?? 0;
    firsts.set(sample, [
      row.id,
      row.timestamp_ms,
      row.metric_name,
      type === 0 ? row.metric_value : null,
      type === 1 ? (row.value_text ?? null) : null,
      type,
      canonicalTags(means),
      row.device_id ?? '',
      uploaded === 0 || uploaded === 2 ? uploaded : 1,
    ]);
  }
  return [...firsts.values()];
}

/** What has to hold of every migrated database. */
function expectMigrated(database: Database, expected: readonly unknown[][], lastId: number): void {
  const view =
    'SELECT id, timestamp_ms, metric_name, metric_value, value_text, value_type, tags, device_id, uploaded FROM metrics ORDER BY id';
  expect(database.prepare(view).raw().all()).toEqual(expected);
  const count = (uploaded: number): number => expected.filter((row) => row.at(-1) === uploaded).length;
  expect(
    database.prepare('SELECT collected, pending, delivered, rejected, dropped, balanced FROM books').raw().get(),
  ).toEqual([expected.length, count(0), count(1), count(2), 0, 1]);
  expect(database.prepare<[], number>('SELECT last_id FROM collector_state').pluck().get()).toBeGreaterThanOrEqual(
    lastId,
  );
  const touching =
    'SELECT COUNT(*) FROM settled AS a JOIN settled AS b ON b.first_id > a.first_id AND b.first_id <= a.last_id + 1';
  expect(database.prepare(touching).pluck().get()).toBe(0);
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok');
  const before = fingerprint(database);
  expect(migrate(database)).toEqual({ from: SCHEMA_VERSION, to: SCHEMA_VERSION });
  expect(fingerprint(database)).toBe(before);
}

describe('whatever stands in a database', () => {
  test('of version 1, each sample arrives once, as it was stored first, and nothing else does', () => {
    let run = 0;
    fc.assert(
      fc.property(fc.array(versionOneRow, { maxLength: 40 }), (drawn) => {
        const database = versionOne(folder.path(`one-${run++}.db`));
        try {
          const rows = drawn.map((row, index) => ({ row: { id: index + 1, ...row }, means: {} }));
          for (const { row } of rows) insert(database, row);
          expect(migrate(database)).toEqual({ from: 1, to: SCHEMA_VERSION });
          expectMigrated(database, expectedOf(rows), rows.length);
        } finally {
          database.close();
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: 15_000 },
    );
  });

  test('of version 2, each sample arrives once with its state, its text and its labels, and the books balance', () => {
    let run = 0;
    fc.assert(
      fc.property(fc.array(versionTwoRow, { maxLength: 40 }), (drawn) => {
        const database = versionOne(folder.path(`two-${run++}.db`));
        try {
          toVersionTwo(database);
          let id = 0;
          const rows = drawn.flatMap(({ gap, isKeyless, tags: { text, means }, ...columns }) => {
            const row: OldRow = { ...columns, id: (id += gap), tags: text };
            if (!insert(database, row)) return [];
            if (isKeyless) return [{ row, means }];
            // As version 2 stored: what had the key of a stored row was left out.
            const key =
              'UPDATE OR IGNORE metrics SET dedup_key = dedup_key(metric_name, timestamp_ms, device_id, tags, value_type) WHERE id = ?';
            if (database.prepare(key).run(id).changes > 0) return [{ row, means }];
            database.prepare('DELETE FROM metrics WHERE id = ?').run(id);
            return [];
          });
          expect(migrate(database)).toEqual({ from: 2, to: SCHEMA_VERSION });
          expectMigrated(database, expectedOf(rows), id);
        } finally {
          database.close();
        }
      }),
      { numRuns: 60, interruptAfterTimeLimit: 15_000 },
    );
  });
});
