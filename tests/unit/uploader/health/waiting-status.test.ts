import { beforeEach, expect, test } from '@jest/globals';

import { Journal } from '../../../../shared/src/logging/journal.ts';
import { WaitingStatus } from '../../../../uploader/src/health/waiting-status.ts';
import { statusText } from '../../../../uploader/src/health/status-text.ts';
import { statusPage } from '../../../../uploader/src/http/page/status-page.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';

let clock: FakeClock;
let journal: Journal;
let waiting: WaitingStatus;

beforeEach(() => {
  clock = new FakeClock();
  journal = new Journal(clock);
  const warnings = ['THUGSHELLS_X is no variable'];
  waiting = new WaitingStatus({
    clock,
    version: '1.2.3',
    deviceId: 'board-1',
    configurationWarnings: warnings,
    journal: () => journal.entries,
  });
  waiting.attempted('no such file');
});

test('waiting status: says what it waits for, since when and what to do', () => {
  const since = new Date(clock.now()).toISOString();
  expect(waiting.report()).toMatchObject({
    status: 'degraded',
    device_id: 'board-1',
    components: {
      storage: {
        status: 'degraded',
        message: 'waiting for the database: no such file; run: systemctl status thugshells-collector',
        since,
      },
      uploader: { status: 'degraded' },
      configuration: { message: 'THUGSHELLS_X is no variable' },
    },
  });
});

test('waiting status: tells a name that many devices have', () => {
  const named = new WaitingStatus({
    clock,
    version: '1.2.3',
    deviceId: 'raspberrypi',
    configurationWarnings: [],
    journal: () => [],
  });
  expect(named.report().components['configuration']).toMatchObject({
    status: 'ok',
    message: expect.stringContaining('set THUGSHELLS_DEVICE_ID to a name of this device alone'),
  });
});

test('waiting status: is degraded for 30 s, then in error', async () => {
  await clock.advance(29_900);
  expect([waiting.report().status, waiting.health, waiting.report().starting]).toEqual(['degraded', 1, true]);
  await clock.advance(200);
  expect([waiting.report().status, waiting.health, waiting.report().starting]).toEqual(['error', 2, undefined]);
  waiting.begin('it is being opened again', undefined);
  expect([waiting.report().status, waiting.health]).toEqual(['degraded', 1]);
});

test('waiting status: is live while the database is tried', async () => {
  await clock.advance(59_900);
  expect(waiting.isLive).toBe(true);
  await clock.advance(200);
  expect(waiting.isLive).toBe(false);
  waiting.attempted('no such file');
  expect(waiting.isLive).toBe(true);
});

test('waiting status: shows the books that were known last, on the page and in a terminal', () => {
  const books = { collected: 4711, delivered: 4700, pending: 11, rejected: 0, dropped: 0 };
  waiting.begin('it is being opened again', { ...waiting.status(), books });
  expect(statusPage(waiting.status())).toContain('4,711');
  expect(statusText(waiting.status(), false)).toContain('waiting for the database: it is being opened again');
});

test('waiting status: has the uploader’s warnings, and those of the collector that were known last', () => {
  const line = { at: '2023-11-14T22:00:00.000Z', since: '2023-11-14T22:00:00.000Z', fields: {}, times: 1 };
  const known = [
    { ...line, program: 'collector', level: 'error', message: 'disk full' },
    { ...line, program: 'uploader', level: 'warn', message: 'old' },
  ] as const;
  waiting.begin('it is being opened again', { ...waiting.status(), journal: known });
  journal.wrap(new LogRecord()).warn('database replaced, reopening');
  expect(waiting.status().journal.map(({ program, message }) => `${program}: ${message}`)).toEqual([
    'uploader: database replaced, reopening',
    'collector: disk full',
  ]);
});
