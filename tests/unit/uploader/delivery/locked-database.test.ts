import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { until } from '../../../support/until.ts';
import { RunningUploads } from '../../../support/uploader/running-uploads.ts';

let uploads: RunningUploads;
let other: Database;

beforeEach(async () => {
  uploads = await RunningUploads.prepare();
  other = openDatabase(uploads.stored.path);
});
afterEach(async () => {
  if (other.inTransaction) other.exec('ROLLBACK');
  other.close();
  await uploads.end();
});

test('upload loop: sends on while another program has the database locked, sends nothing twice, and records it all at once', async () => {
  uploads.stored.rows(500);
  other.exec('BEGIN IMMEDIATE');
  uploads.start();
  await uploads.waits();
  await uploads.clock.advance(10_000);
  expect([uploads.books.delivered, uploads.receiver.rows().length]).toEqual([0, 500]);
  other.exec('ROLLBACK');
  await uploads.clock.advance(200);
  expect(uploads.books).toMatchObject({ delivered: 500, pending: 0 });
  await uploads.clock.advance(120_000);
  expect([uploads.receiver.rows().length, uploads.receiver.duplicates()]).toEqual([500, 0]);
  expect(uploads.log.messages('error', 'warn')).toEqual([]);
});

test('upload loop: commits when as much has been accepted as may be kept in memory, and sends on', async () => {
  const rows = 120_000;
  uploads.stored.rows(rows);
  uploads.start();
  await uploads.waits();
  expect(uploads.books).toMatchObject({ delivered: rows, pending: 0 });
}, 30_000);

test('upload loop: sends no more than may be kept in memory while the database is locked, and all after it', async () => {
  const rows = 140_000;
  uploads.stored.rows(rows);
  other.exec('BEGIN IMMEDIATE');
  uploads.start();
  await uploads.waits();
  const sent = uploads.receiver.rows().length;
  expect(sent).toBeGreaterThanOrEqual(100_000);
  expect(sent).toBeLessThan(120_000);
  // Until the next cycle.
  await uploads.clock.advance(31_000);
  await uploads.waits();
  expect(uploads.receiver.rows()).toHaveLength(sent);
  expect([uploads.state.condition, uploads.state.reason]).toEqual(['fault', expect.stringContaining('locked')]);
  other.exec('ROLLBACK');
  await uploads.clock.advance(60_000);
  await until('the rest is delivered', () => uploads.books.pending === 0);
  expect([uploads.books.delivered, uploads.receiver.duplicates()]).toEqual([rows, 0]);
}, 30_000);

test('upload loop: a stop waits some seconds for the lock, and then says that samples will be sent again', async () => {
  uploads.stored.rows(50);
  other.exec('BEGIN IMMEDIATE');
  uploads.start();
  await uploads.waits();
  const stopped = uploads.stop();
  await uploads.waits();
  await uploads.clock.advance(8_000);
  await stopped;
  expect(uploads.books.delivered).toBe(0);
  expect(uploads.log.lines.filter(({ level }) => level === 'warn')).toMatchObject([
    { message: 'acknowledgements not stored, will resend samples', fields: { count: 50 } },
  ]);
});

test('upload loop: a stop stores what was accepted if the lock is released in time', async () => {
  uploads.stored.rows(50);
  other.exec('BEGIN IMMEDIATE');
  uploads.start();
  await uploads.waits();
  const stopped = uploads.stop();
  await uploads.clock.advance(100);
  other.exec('ROLLBACK');
  await uploads.clock.advance(1_000);
  await stopped;
  expect(uploads.books.delivered).toBe(50);
  expect(uploads.log.messages('warn', 'error')).toEqual([]);
});
