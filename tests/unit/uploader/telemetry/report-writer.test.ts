import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';

import { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import { NO_UPLOADS, type UploaderReport } from '@thugshells/shared/state/uploader-report.ts';

import { ReportTable } from '../../../../uploader/src/telemetry/report-table.ts';
import { ReportWriter } from '../../../../uploader/src/telemetry/report-writer.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const report: UploaderReport = {
  ...{
    writtenAtMs: 1,
    startedAtMs: 0,
    endpoint: 'http://127.0.0.1:9109/',
    counts: NO_UPLOADS,
    rejectedAtMs: undefined,
  },
  receiver: { condition: 'taking', reason: '', sinceMs: 0 },
  lastDelivery: { atMs: 1, count: 2, bytesSent: 3 },
  uploads: [{ atMs: 1, samples: 2, bytes: 3, outcome: 'delivered', reason: '', times: 1 }],
};
let stored: StoredSamples;
let clock: FakeClock;
let log: LogRecord;
beforeEach(() => {
  stored = new StoredSamples();
  clock = new FakeClock();
  log = new LogRecord();
});
afterEach(() => stored.remove());

test('report table: loads what was saved; undefined before the first report', () => {
  const table = new ReportTable(stored.database);
  expect(table.load()).toBeUndefined();
  table.save(report);
  expect(table.load()).toEqual(report);
});

describe('report writer: writes the report', () => {
  let current: UploaderReport;
  let written: UploaderReport[];
  let fails: boolean;
  let isUnreadable: boolean;
  let stop: AbortController;
  let running: Promise<void>;
  beforeEach(() => {
    [current, written, fails, isUnreadable, stop] = [report, [], false, false, new AbortController()];
    const save = (next: UploaderReport): void => {
      if (fails) throw Object.assign(new Error('disk is full'), { code: 'SQLITE_FULL' });
      written.push(next);
    };
    const recurring = new RecurringWork({ clock, logger: log });
    const readReport = (): UploaderReport => {
      if (isUnreadable) throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' });
      return current;
    };
    running = new ReportWriter({ recurring, table: { save }, report: readReport }).run(stop.signal);
  });
  afterEach(async () => {
    stop.abort();
    await running;
  });

  test('at start, and then every 30 s if anything but its time has changed', async () => {
    expect(written).toEqual([report]);
    current = { ...report, writtenAtMs: 2 };
    await clock.advance(60_000);
    expect(written).toHaveLength(1);
    current = { ...current, counts: { ...NO_UPLOADS, uploaded: 50 } };
    await clock.advance(29_999);
    expect(written).toHaveLength(1);
    await clock.advance(1);
    expect(written).toEqual([report, current]);
  });

  test('with the next interval after a failure, which is logged once', async () => {
    fails = true;
    current = { ...report, rejectedAtMs: 5 };
    await clock.advance(90_000);
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { error: 'disk is full' } }]);
    fails = false;
    await clock.advance(30_000);
    expect(written).toEqual([report, current]);
  });

  test('with the next interval after it could not be read', async () => {
    isUnreadable = true;
    await clock.advance(90_000);
    expect(log.lines).toMatchObject([
      { message: 'cannot store the uploader report', fields: { error: 'disk I/O error' } },
    ]);
    isUnreadable = false;
    current = { ...report, rejectedAtMs: 5 };
    await clock.advance(30_000);
    expect(written).toEqual([report, current]);
  });
});
