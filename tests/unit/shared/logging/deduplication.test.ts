import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';

import { deduplicate, type DeduplicatingLogger } from '../../../../shared/src/logging/deduplication.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let log: LogRecord;
let logger: DeduplicatingLogger;
beforeEach(() => {
  jest.useFakeTimers();
  log = new LogRecord();
  logger = deduplicate(log);
});
afterEach(() => void jest.useRealTimers());

const told = (): unknown[] => log.lines.map(({ message, fields }) => [message, fields['repeated']]);

describe('the same trouble', () => {
  test('is told at once, and then once a minute with how often it was', () => {
    for (let time = 0; time < 5; time++) logger.error('disk is full', { error: 'ENOSPC', duration_ms: time });
    expect(told()).toEqual([['disk is full', undefined]]);
    jest.advanceTimersByTime(59_999);
    expect(told()).toHaveLength(1);
    jest.advanceTimersByTime(1);
    expect(told()).toEqual([
      ['disk is full', undefined],
      ['disk is full', 4],
    ]);
    expect(log.lines[1]!.fields['duration_ms']).toBe(4);
  });

  test('that comes once more later is told at once again', () => {
    logger.warn('away', {});
    jest.advanceTimersByTime(60_000);
    logger.warn('away', {});
    expect(told()).toEqual([
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
    expect(told()).toHaveLength(4);
  });

  test('of two children with fields of their own is two', () => {
    logger.child({ collector: 'cpu' }).warn('failing', {});
    logger.child({ collector: 'load' }).warn('failing', {});
    logger.child({ collector: 'load' }).warn('failing', {});
    expect(told()).toHaveLength(2);
  });

  test('is told before the end, if it is held back', () => {
    for (let time = 0; time < 3; time++) logger.warn('away', {});
    logger.flush();
    expect(told()).toEqual([
      ['away', undefined],
      ['away', 2],
    ]);
    logger.flush();
    expect(told()).toHaveLength(2);
  });
});

test('what is no trouble is told each time', () => {
  for (let time = 0; time < 3; time++) {
    logger.info('uploaded', {});
    logger.debug('scrape', {});
  }
  expect(told()).toHaveLength(6);
});

test('a thousand kinds of trouble are told, and do not stay in memory', () => {
  for (let kind = 0; kind < 1_000; kind++) logger.warn('refused', { error: `sample ${kind}` });
  expect(told()).toHaveLength(1_000);
  expect(jest.getTimerCount()).toBeLessThanOrEqual(200);
});
