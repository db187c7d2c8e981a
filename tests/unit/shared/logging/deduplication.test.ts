import { beforeEach, describe, expect, test } from '@jest/globals';

import { deduplicate, type DeduplicatingLogger } from '../../../../shared/src/logging/deduplication.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let log: LogRecord;
let clock: FakeClock;
let logger: DeduplicatingLogger;
beforeEach(() => {
  log = new LogRecord();
  clock = new FakeClock();
  logger = deduplicate(log, clock);
});

const written = (): unknown[] => log.lines.map(({ message, fields }) => [message, fields['repeated']]);

describe('log deduplication: the same record', () => {
  test('is written at once, and then once a minute with the number of repetitions', async () => {
    for (let time = 0; time < 5; time++) logger.error('disk is full', { error: 'ENOSPC', duration_ms: time });
    expect(written()).toEqual([['disk is full', undefined]]);
    await clock.advance(59_999);
    expect(written()).toHaveLength(1);
    await clock.advance(1);
    expect(written()).toEqual([
      ['disk is full', undefined],
      ['disk is full', 4],
    ]);
    expect(log.lines[1]!.fields['duration_ms']).toBe(4);
  });

  test('is written at once again after the minute', async () => {
    logger.warn('away', {});
    await clock.advance(60_000);
    logger.warn('away', {});
    expect(written()).toEqual([
      ['away', undefined],
      ['away', undefined],
    ]);
  });

  test('is another one with another text, level or message, but not with another number or stack', () => {
    logger.warn('away', { error: 'a', stack: 'x' });
    logger.warn('away', { error: 'a', stack: 'y', attempt: 2 });
    logger.warn('away', { error: 'b' });
    logger.error('away', { error: 'a' });
    logger.warn('gone', { error: 'a' });
    expect(written()).toHaveLength(4);
  });

  test('counts as two if two children with fields of their own write it', () => {
    logger.child({ collector: 'cpu' }).warn('failing', {});
    logger.child({ collector: 'load' }).warn('failing', {});
    logger.child({ collector: 'load' }).warn('failing', {});
    expect(written()).toHaveLength(2);
  });

  test('is written by flush() if it is held back', () => {
    for (let time = 0; time < 3; time++) logger.warn('away', {});
    logger.flush();
    expect(written()).toEqual([
      ['away', undefined],
      ['away', 2],
    ]);
    logger.flush();
    expect(written()).toHaveLength(2);
  });
});

test('log deduplication: writes each info and debug record', () => {
  for (let time = 0; time < 3; time++) {
    logger.info('uploaded', {});
    logger.debug('scrape', {});
  }
  expect(written()).toHaveLength(6);
});

test('log deduplication: writes a thousand kinds of records, and remembers 200 of them', () => {
  for (let kind = 0; kind < 1_000; kind++) logger.warn('refused', { error: `sample ${kind}` });
  expect(written()).toHaveLength(1_000);
  expect(clock.sleeping).toBeLessThanOrEqual(200);
});
