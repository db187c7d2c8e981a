import { beforeEach, expect, test } from '@jest/globals';

import { RecurringWork } from '../../../shared/src/recurring-work.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { RecordedLog } from '../../support/recorded-log.ts';

const message = 'cannot store the report';
let clock: FakeClock;
let log: RecordedLog;
let recurring: RecurringWork;

beforeEach(() => {
  clock = new FakeClock();
  log = new RecordedLog();
  recurring = new RecurringWork({ clock, logger: log });
});

function diskError(text = 'disk I/O error'): Error {
  return Object.assign(new Error(text), { code: 'SQLITE_IOERR' });
}

test('recurring work: a failure is logged once, kept until it ends, and tried again with each tick', async () => {
  const stop = new AbortController();
  let runs = 0;
  let fails = true;
  const work = (): void => {
    runs += 1;
    if (fails) throw diskError();
  };
  const running = recurring.run({ message, work }, { intervalMs: 1_000, stop: stop.signal });
  await clock.advance(0);
  await clock.advance(3_000);
  expect([runs, log.said('error', 'warn', 'info'), recurring.failures]).toMatchObject([
    4,
    [`warn: ${message}`],
    [{ message, reason: 'disk I/O error' }],
  ]);
  fails = false;
  await clock.advance(1_000);
  expect([recurring.failures, log.lines.at(-1)]).toEqual([
    [],
    {
      level: 'info',
      message: 'background work recovered',
      fields: { after: message, reason: 'disk I/O error', duration_ms: 4_000 },
    },
  ]);
  stop.abort();
  await running;
});

test('recurring work: a mistake in the program is logged as an error with its stack', async () => {
  await recurring.attempt({
    message,
    work: () => {
      throw new TypeError('x is not a function');
    },
  });
  expect(log.lines).toMatchObject([
    { level: 'error', message, fields: { stack: expect.stringContaining(import.meta.filename) } },
  ]);
});

test('recurring work: another reason is logged, and tasks that differ in their fields fail apart', async () => {
  const fail = (collector: string, text: string): Promise<void> =>
    recurring.attempt({ message, fields: { collector }, work: () => Promise.reject(diskError(text)) });
  for (const text of ['full', 'full', 'read-only']) await fail('cpu', text);
  await fail('load', 'read-only');
  expect(log.lines.map(({ fields }) => [fields['collector'], fields['error']])).toEqual([
    ['cpu', 'full'],
    ['cpu', 'read-only'],
    ['load', 'read-only'],
  ]);
  expect(recurring.failures).toHaveLength(2);
});

test('recurring work: the lock of another program is no failure', async () => {
  const work = (): never => {
    throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' });
  };
  await recurring.attempt({ message, work });
  expect([log.lines, recurring.failures]).toEqual([[], []]);
});
