import { beforeEach, describe, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import { openSession } from '../../../../../collector/src/store/writing/sessions.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import {
  migratedDatabase,
  NOW,
  reading,
  startOn,
  createStatus,
  view,
} from '../../../../support/collector/collector-parts.ts';

const folder = useTemporaryFolder();
const HOUR = 3_600_000;
const metadata = { version: '0.1.0', bootId: 'boot-1', kernel: '5.10.160', host: 'b1' };
let database: Database;
let process: ReturnType<typeof startOn>;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

function open(id: string): (nowMs: number) => void {
  return openSession(database, { id, nowMs: process.clock.now(), metadata });
}

async function scrape(afterMs: number): Promise<void> {
  await process.clock.advance(afterMs);
  const at = readInstant(process.clock);
  process.writer.commit([
    { at, samples: process.admission.admit([reading('a.x', 1)], NOW).samples, status: createStatus() },
  ]);
}

function sessions(): unknown[] {
  return database
    .prepare('SELECT id, start_time, end_time, status, first_sample_id FROM sessions ORDER BY rowid')
    .raw()
    .all();
}

describe('sessions: a session', () => {
  test('sessions: a session is active while its process runs, with its metadata', () => {
    open('one');
    expect(sessions()).toEqual([['one', NOW, null, 'active', 1]]);
    expect(JSON.parse(String(database.prepare('SELECT metadata FROM sessions').pluck().get()))).toEqual(metadata);
  });

  test('sessions: a closed session is completed, with its end', () => {
    open('one')(NOW + 5_000);
    expect(sessions()).toEqual([['one', NOW, NOW + 5_000, 'completed', 1]]);
  });

  test('sessions: a session covers the samples that follow it, until the next one', async () => {
    const close = open('one');
    await scrape(10_000);
    await scrape(10_000);
    close(process.clock.now());
    open('two');
    await scrape(10_000);
    expect(view(database, 'session_id').flat()).toEqual(['one', 'one', 'two']);
  });
});

describe('sessions: a session that a crash left active', () => {
  test('sessions: a session that crashed is failed, and ended with its last scrape', async () => {
    open('one');
    await scrape(10_000);
    await scrape(10_000);
    await process.clock.advance(HOUR);
    open('two');
    expect(sessions()).toEqual([
      ['one', NOW, NOW + 20_000, 'failed', 1],
      ['two', NOW + 20_000 + HOUR, null, 'active', 3],
    ]);
  });

  test('sessions: a session that crashed before its first scrape ended when it began, not at the scrape of another', async () => {
    open('one');
    await scrape(10_000);
    await process.clock.advance(HOUR);
    open('two');
    await process.clock.advance(HOUR);
    open('three');
    expect(sessions()).toMatchObject([
      ['one', NOW, NOW + 10_000, 'failed', 1],
      ['two', NOW + 10_000 + HOUR, NOW + 10_000 + HOUR, 'failed', 2],
      expect.arrayContaining(['three']),
    ]);
  });

  test('sessions: a session that crashed in a database without samples ended when it began, not in 1970', () => {
    open('one');
    open('two');
    expect(sessions()[0]).toEqual(['one', NOW, NOW, 'failed', 1]);
  });

  test('sessions: a session that was closed stays unchanged', () => {
    open('one')(NOW + 1);
    open('two');
    expect(sessions()[0]).toEqual(['one', NOW, NOW + 1, 'completed', 1]);
  });
});

test('sessions: keeps the newest 1,000 sessions, the active one among them', () => {
  database.transaction(() => {
    const insert = database.prepare(
      `INSERT INTO sessions (id, start_time, status, first_sample_id) VALUES (?, 0, 'completed', ?)`,
    );
    for (let index = 0; index < 1_005; index++) insert.run(`old-${index}`, index);
    database.exec('UPDATE collector_state SET last_id = 2000');
  })();
  open('newest');
  const ids = database.prepare('SELECT id FROM sessions ORDER BY first_sample_id').pluck().all();
  expect(ids).toHaveLength(1_000);
  expect([ids[0], ids.at(-1)]).toEqual(['old-6', 'newest']);
});
