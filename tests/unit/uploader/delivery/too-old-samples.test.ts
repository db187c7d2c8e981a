import { afterEach, describe, expect, jest, test } from '@jest/globals';

import type { TooOldPolicy } from '../../../../uploader/src/delivery/too-old-samples.ts';
import { BatchEncoder } from '../../../../uploader/src/encoding/batch-encoder.ts';
import { Encoder } from '../../../../uploader/src/encoding/encoder.ts';
import type { RestartSign } from '../../../../uploader/src/queue/restart-signs.ts';
import type { FlagsAnswer } from '../../../../uploader/src/transport/query-client.ts';
import { RunningUploads, type UploadSettings } from '../../../support/uploader/running-uploads.ts';

const DAY_MS = 86_400_000;
const MINUTE_MS = 60_000;
const REASON = 'older than the receiver accepts';

let uploads: RunningUploads;
afterEach(() => uploads.end());

/** A receiver that accepts samples of so many days, or whose limit is unknown. */
function accepting(days: number | undefined): FlagsAnswer {
  const ageMs = days && days * DAY_MS;
  const flags = ageMs === undefined ? undefined : { retentionMs: ageMs, acceptedAgeMs: ageMs, dedupMs: 0 };
  return { flags, isAnswered: true };
}

/** Uploads to a receiver whose answers are counted and can be replaced. */
async function prepare(tooOld: TooOldPolicy, answer: FlagsAnswer, settings: UploadSettings = {}) {
  const receiver = { answer, reads: 0 };
  const findFlags = async (): Promise<FlagsAnswer> => {
    receiver.reads += 1;
    return receiver.answer;
  };
  uploads = await RunningUploads.prepare({ tooOld, findFlags, uploadIntervalMs: MINUTE_MS, ...settings });
  const { clock, receiverClock } = uploads;
  receiverClock.set({ bootedAtMs: clock.now() - clock.sinceBoot(), errorMs: 0, isProven: true });
  return receiver;
}

/** Stores a row of each age in days; returns their ids. */
function store(...ages: readonly number[]): number[] {
  const series = uploads.stored.series(`load.average_${uploads.stored.number('SELECT COUNT(*) FROM series')}m`);
  return ages.map((days, index) => uploads.stored.add(series, uploads.clock.now() - days * DAY_MS + index, 1));
}

function quarantined(): unknown[] {
  return uploads.stored.database.prepare('SELECT id, status, reason FROM rejected ORDER BY id').all();
}

describe('too old samples:', () => {
  test('are rejected with the reason and not sent, and the others are delivered', async () => {
    const receiver = await prepare('reject', accepting(1));
    const ids = store(3, 2, 0.5, 0);
    await uploads.pass();
    expect(quarantined()).toEqual(ids.slice(0, 2).map((id) => ({ id, status: null, reason: REASON })));
    expect(uploads.stored.idsOf('delivered')).toEqual(ids.slice(2));
    expect(uploads.posts.map(({ samples }) => samples)).toEqual([2]);
    expect(uploads.books).toEqual({ collected: 4, delivered: 2, pending: 0, rejected: 2, dropped: 0 });
    expect(receiver.reads).toBe(1);
    expect(uploads.log.lines).toContainEqual({
      level: 'warn',
      message: 'rejected samples older than accepted',
      fields: { count: 2, accepted_age_ms: DAY_MS },
    });
    expect(uploads.tooOld.state).toEqual({ acceptedAgeMs: DAY_MS, held: 0, rejected: 2 });
  });

  test('are held, found once, and sent when the receiver accepts them', async () => {
    const receiver = await prepare('hold', accepting(1));
    const ids = store(9, 3, 2, 0);
    await uploads.pass();
    expect(uploads.stored.idsOf('pending')).toEqual(ids.slice(0, 3));
    expect(uploads.tooOld.state).toEqual({ acceptedAgeMs: DAY_MS, held: 3, rejected: 0 });
    const encode = jest.spyOn(Encoder.prototype, 'encode');
    // The first one is the confirmation of what was delivered.
    for (let pass = 0; pass < 3; pass++) await uploads.pass();
    expect([uploads.tooOld.listHeld(), encode.mock.calls]).toEqual([[[1, 3]], []]);
    encode.mockRestore();
    receiver.answer = accepting(5);
    for (let minute = 0; minute < 11; minute++) await uploads.pass();
    expect([uploads.stored.idsOf('pending'), quarantined()]).toEqual([[ids[0]], []]);
    expect(uploads.tooOld.state).toEqual({ acceptedAgeMs: 5 * DAY_MS, held: 1, rejected: 0 });
    uploads.stored.drop([1], 'cap');
    expect(uploads.tooOld.state?.held).toBe(0);
    expect(uploads.receiver.duplicates()).toBe(0);
  });

  test('that lie between newer ones, as of an exposition with timestamps, are the only ones', async () => {
    await prepare('hold', accepting(2));
    const ids = store(0.2, 3, 0.1, 2.5, 0, 1.5);
    await uploads.pass();
    expect(uploads.stored.idsOf('pending')).toEqual([ids[1], ids[3]]);
    expect(uploads.tooOld.state?.held).toBe(2);
  });

  test('are so by their corrected time, and not by the stored one', async () => {
    await prepare('reject', accepting(1));
    uploads.stored.beginEpoch(3 * DAY_MS, true);
    const corrected = store(3);
    uploads.stored.beginEpoch(-3 * DAY_MS, true);
    const [old] = store(0);
    await uploads.pass();
    expect(uploads.stored.idsOf('delivered')).toEqual(corrected);
    expect(uploads.stored.idsOf('rejected')).toEqual([old]);
  });

  test('are those beyond the limit by the clock of the receiver: one just inside is sent', async () => {
    await prepare('reject', accepting(2));
    const { clock, stored, receiverClock } = uploads;
    receiverClock.set({ bootedAtMs: clock.now() - clock.sinceBoot() - 3_600_000, errorMs: 500, isProven: true });
    const limitMs = clock.now() - 3_600_000 - 2 * DAY_MS;
    const ids = [limitMs - 1_501, limitMs - 1_499, limitMs + 1].map((ms) => stored.add(store().length + 1, ms, 1));
    await uploads.pass();
    expect([stored.idsOf('rejected'), stored.idsOf('delivered')]).toEqual([[ids[0]], ids.slice(1)]);
  });

  test.each([
    ['a receiver shows no flags', accepting(undefined)],
    ['nothing answered', { flags: undefined, isAnswered: false }],
  ])('are sent as ever where %s', async (_, answer) => {
    await prepare('reject', answer);
    store(900, 0);
    await uploads.pass();
    expect(uploads.books).toMatchObject({ delivered: 2, rejected: 0 });
    expect(uploads.tooOld.state).toBeUndefined();
  });

  test('the flags are read only while something older than a day is pending, and rarely', async () => {
    const receiver = await prepare('hold', accepting(1));
    store(0.99, 0);
    await uploads.pass();
    await uploads.pass();
    expect(receiver.reads).toBe(0);
    store(1.5);
    for (let minute = 0; minute < 9; minute++) await uploads.pass();
    expect(receiver.reads).toBe(1);
    for (let minute = 0; minute < 3; minute++) await uploads.pass();
    expect(receiver.reads).toBe(2);
  });

  test('a row that is held because of its clock is not taken for an old one', async () => {
    const receiver = await prepare('reject', accepting(1));
    uploads.stored.beginEpoch(-50 * 365 * DAY_MS, false);
    store(0);
    await uploads.pass();
    expect([receiver.reads, uploads.books.pending]).toEqual([0, 1]);
  });

  test('a receiver that was down may have other flags: they are read again at once', async () => {
    const receiver = await prepare('hold', accepting(1));
    store(2);
    await uploads.pass();
    receiver.answer = accepting(9);
    await uploads.pass();
    expect(uploads.books.pending).toBe(1);
    uploads.tooOld.onRestartSign({ kind: 'connection refused' });
    await uploads.pass();
    expect([receiver.reads, uploads.books.pending]).toEqual([2, 0]);
  });

  test('the flags are read a minute after the last time if a connection ended, and at once after any other sign', async () => {
    const receiver = await prepare('hold', accepting(1), { uploadIntervalMs: 30_000 });
    store(2);
    await uploads.pass();
    // Each pass is 30 s after the one before.
    const ended = { kind: 'connection ended', connection: 1, idleMs: 0 } as const;
    const reads: number[] = [];
    const passAfter = async (sign: RestartSign): Promise<void> => {
      uploads.tooOld.onRestartSign(sign);
      await uploads.pass();
      reads.push(receiver.reads);
    };
    await passAfter({ ...ended, isAnnounced: true });
    await passAfter({ ...ended, isAnnounced: true });
    await passAfter({ ...ended, isAnnounced: false });
    await passAfter({ ...ended, isAnnounced: false });
    await passAfter({ ...ended, isAnnounced: false });
    await passAfter({ kind: 'proxy error' });
    uploads.tooOld.onRestartSign({ kind: 'proxy error' });
    await passAfter({ ...ended, isAnnounced: false });
    expect(reads).toEqual([1, 1, 2, 2, 3, 4, 5]);
  });

  test('that are rejected are logged once for each cycle, with their number', async () => {
    await prepare('reject', accepting(1));
    store(3, 2);
    await uploads.pass();
    store(2);
    for (let pass = 0; pass < 2; pass++) await uploads.pass();
    const logged = uploads.log.lines.filter(({ message }) => message === 'rejected samples older than accepted');
    expect(logged.map(({ fields }) => fields['count'])).toEqual([2, 1]);
  });

  test('that are held are logged once, however many come', async () => {
    await prepare('hold', accepting(1));
    for (let pass = 0; pass < 3; pass++) {
      store(2);
      await uploads.pass();
    }
    expect(uploads.tooOld.state?.held).toBe(3);
    expect(uploads.log.messages('warn')).toEqual(['holding samples older than accepted']);
  });

  test('what is known stays known while the receiver does not answer, and not when one without flags does', async () => {
    const receiver = await prepare('hold', accepting(1));
    store(2);
    await uploads.pass();
    receiver.answer = { flags: undefined, isAnswered: false };
    uploads.tooOld.onRestartSign({ kind: 'proxy error' });
    await uploads.pass();
    expect([receiver.reads, uploads.books.pending]).toEqual([2, 1]);
    receiver.answer = accepting(undefined);
    await uploads.pass();
    expect([receiver.reads, uploads.books.pending]).toEqual([3, 0]);
  });

  test('many of them cost few reads of the database and no request, and delay no new sample', async () => {
    await prepare('reject', accepting(1), { batchMetrics: 1_000 });
    uploads.stored.database.transaction(() => store(...Array<number>(20_000).fill(2)))();
    const [newest] = store(0);
    const encode = jest.spyOn(BatchEncoder.prototype, 'encode');
    await uploads.pass();
    const reads = encode.mock.calls.length;
    encode.mockRestore();
    expect(reads).toBeLessThanOrEqual(12);
    expect(uploads.books).toMatchObject({ rejected: 20_000, delivered: 1, pending: 0 });
    expect(uploads.stored.idsOf('delivered')).toEqual([newest]);
    expect(uploads.posts).toHaveLength(1);
  });
});
