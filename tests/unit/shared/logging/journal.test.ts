import { beforeEach, describe, expect, test } from '@jest/globals';

import { deduplicate, type DeduplicatingLogger } from '../../../../shared/src/logging/deduplication.ts';
import { Journal, type JournalEntry } from '../../../../shared/src/logging/journal.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

const NOW = 1_700_000_000_000;
let clock: FakeClock;
let log: LogRecord;
let journal: Journal;
let logger: DeduplicatingLogger;

beforeEach(() => {
  clock = new FakeClock(NOW);
  log = new LogRecord();
  journal = new Journal(clock);
  logger = deduplicate(journal.wrap(log), clock);
});

const messages = (): string[] => journal.entries.map(({ message }) => message);

function entry(id: number, changes: Partial<JournalEntry> = {}): JournalEntry {
  const times = { sinceMs: NOW - 60_000, atMs: NOW - 60_000, times: 1 };
  return { id, ...times, level: 'warn', message: `before ${id}`, fields: {}, ...changes };
}

describe('journal:', () => {
  test('has warnings and errors with their fields, and the log has them too', () => {
    logger.info('uploaded', { count: 9 });
    logger.debug('scrape');
    logger.child({ collector: 'cpu' }).warn('collector failing', { error: 'EACCES', hint: 'check the unit' });
    logger.error('disk full', { count: 3, isFull: true, error: undefined });
    const at = { sinceMs: NOW, atMs: NOW, times: 1 };
    expect(journal.entries).toEqual([
      {
        ...{ ...at, id: 1, level: 'warn', message: 'collector failing' },
        fields: { collector: 'cpu', error: 'EACCES', hint: 'check the unit' },
      },
      { ...at, id: 2, level: 'error', message: 'disk full', fields: { count: 3, isFull: true } },
    ]);
    expect(log.messages('info', 'debug', 'warn', 'error')).toHaveLength(4);
    expect(log.lines[2]).toEqual({
      ...{ level: 'warn', message: 'collector failing' },
      fields: { collector: 'cpu', error: 'EACCES', hint: 'check the unit' },
    });
  });

  test('counts what is repeated, also what the log holds back, and since when', async () => {
    for (let time = 0; time < 5; time++) logger.warn('away', { error: 'ECONNREFUSED', attempt: time });
    logger.warn('else');
    await clock.advance(60_000);
    logger.warn('away', { error: 'ECONNREFUSED', attempt: 7 });
    expect(journal.entries).toMatchObject([
      { message: 'else', times: 1, sinceMs: NOW },
      { message: 'away', times: 6, sinceMs: NOW, atMs: NOW + 60_000, fields: { attempt: 7 } },
    ]);
    expect(journal.entries[1]!.id).toBe(journal.lastId);
  });

  test('keeps the newest 20, and of one message whose texts differ each time no more than there is room for', () => {
    for (let number = 0; number < 12; number++) logger.error(`event ${number}`);
    for (let number = 0; number < 100; number++) logger.warn('sample refused', { error: `sample ${number}` });
    expect(journal.entries).toHaveLength(20);
    expect(messages().slice(0, 12)).toEqual(Array.from({ length: 12 }, (_, number) => `event ${number}`));
    expect(journal.entries.slice(12).map(({ fields }) => fields['error'])).toEqual(
      Array.from({ length: 8 }, (_, index) => `sample ${92 + index}`),
    );
    for (let number = 0; number < 30; number++) logger.error(`later ${number}`);
    expect(messages()).toEqual(Array.from({ length: 20 }, (_, index) => `later ${10 + index}`));
  });

  test('is bounded in bytes and has no control characters, whatever is logged', () => {
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    for (let number = 0; number < 100; number++) {
      const many = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`field_${index}`, 'é'.repeat(9_999)]));
      logger.warn(`${number}\u001b[31m${'m'.repeat(9_999)}`, { cyclic, ...many, count: Number.NaN, size: 12n });
    }
    const text = JSON.stringify(journal.entries);
    expect(Buffer.byteLength(text)).toBeLessThan(50_000);
    const [first] = journal.entries;
    expect([first!.message.slice(0, 8), first!.message.includes('\u001b')]).toEqual(['80\\u001b', false]);
    expect(first!.fields).toMatchObject({ cyclic: expect.stringContaining('Circular'), count: 'NaN' });
    expect(first!.fields['field_0']).toBe(`${'é'.repeat(300)}…`);
  });

  test('leaves out what is for developers: the stack, and the ids of batches', () => {
    logger.error('unexpected error', {
      error: 'x',
      error_type: 'TypeError',
      stack: 'TypeError: x\n at y',
      batch_id: 'b',
    });
    expect(journal.entries[0]!.fields).toEqual({ error: 'x' });
  });
});

describe('journal: the entries of the process before', () => {
  test('come before the own ones, and go on being counted', () => {
    logger.warn('early');
    logger.warn('before 8');
    const stored = [entry(7), entry(8, { times: 40 })];
    expect(journal.restore(stored)).toBe(true);
    expect(journal.entries).toMatchObject([
      { id: 7, message: 'before 7' },
      { id: 9, message: 'early' },
      { id: 10, message: 'before 8', times: 41, sinceMs: NOW - 60_000, atMs: NOW },
    ]);
    logger.error('later');
    expect(journal.lastId).toBe(11);
  });

  test('are restored once: a database that is opened later may have the own ones', () => {
    journal.restore([entry(7)]);
    expect(journal.restore([entry(7), entry(8)])).toBe(false);
    expect(messages()).toEqual(['before 7']);
  });
});

test('journal: is saved at an end that nobody expected, if somebody keeps it, and an error of that is no further one', () => {
  expect(() => journal.saveNow()).not.toThrow();
  let saved = 0;
  journal.onSaveNow(() => {
    saved += 1;
    throw new Error('disk I/O error');
  });
  journal.saveNow();
  expect(saved).toBe(1);
});
