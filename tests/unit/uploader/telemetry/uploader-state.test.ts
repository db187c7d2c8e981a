import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { ReceiverClockTable } from '../../../../uploader/src/clock/receiver-clock-table.ts';
import { ReceiverClock } from '../../../../uploader/src/clock/receiver-clock.ts';
import { ReceiverState } from '../../../../uploader/src/delivery/receiver-state.ts';
import { LastRejection } from '../../../../uploader/src/telemetry/last-rejection.ts';
import { UploadCounters } from '../../../../uploader/src/telemetry/upload-counters.ts';
import { UploaderStateReader } from '../../../../uploader/src/telemetry/uploader-state.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { LogRecord } from '../../../support/uploader/log-record.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

const MINUTE_MS = 60_000;
let stored: StoredSamples;
beforeEach(() => {
  stored = new StoredSamples();
});
afterEach(() => stored.remove());

test('uploader state: has bytes sent and written per day after half an hour, without what came before and at the start', async () => {
  const clock = new FakeClock();
  const logger = new LogRecord();
  const counters = new UploadCounters();
  let writtenBytes = 7_000_000;
  const request = (bytesSent: number): void =>
    counters.posted(
      { outcome: { kind: 'delivered' }, endpoint: '', bytesSent, bytesReceived: 0, durationMs: 1, isClosing: false },
      1,
    );
  // The counters are the process's, and are kept while it opens one database after another.
  request(3_000_000);
  const reader = new UploaderStateReader({
    clock,
    receiver: new ReceiverState(clock, logger),
    tooOld: { state: undefined },
    skew: new ReceiverClock({
      ...{ clock, logger, clockSkewWarnMs: 2_000, clockSkewPolicy: 'hold', builtAtMs: 0 },
      table: new ReceiverClockTable(stored.database, 'boot'),
    }),
    counters,
    lastRejection: new LastRejection(undefined),
    readWrittenBytes: () => writtenBytes,
    statusKey: '',
    rejected: () => 0,
    taskFailures: () => [],
  });
  const pass = async (minutes: number, bytesSent: number) => {
    for (let minute = 0; minute < minutes; minute++) {
      await clock.advance(MINUTE_MS);
      request(bytesSent);
      writtenBytes += bytesSent * 2;
      reader.read();
    }
    const { sentPerDay, writtenPerDay } = reader.read();
    return [sentPerDay, writtenPerDay];
  };
  await pass(4, 1_000_000);
  expect(await pass(25, 100)).toEqual([undefined, undefined]);
  // From the fifth minute, whose request came just before it was read.
  expect((await pass(1, 100)).map((rate) => Math.round(rate ?? NaN))).toEqual([100 * 1_440, 200 * 1_440]);
});
