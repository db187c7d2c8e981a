import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Database } from '@thugshells/shared/database/open.js';

import type { Instant } from '../../../collector/src/clock-epochs.js';
import { FakeClock } from '../../support/fake-clock.js';
import { useTemporaryFolder } from '../shared/temporary-folder.js';
import { BUILT_AT, migratedDatabase, NOW, reading, startOn, statusNamed, view } from './collector-parts.js';

const HOUR = 3_600_000;
const folder = useTemporaryFolder();
let database: Database;
let process: ReturnType<typeof startOn>;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

/** One scrape of one series, `afterMs` after the one before. */
async function scrape(afterMs = 10_000): Promise<void> {
  await process.clock.advance(afterMs);
  store(instant());
}

function instant(): Instant {
  return { wallMs: process.clock.now(), monotonicMs: process.clock.monotonic() };
}

function store(at: Instant, name = 'a.x'): void {
  const { admission, writer } = process;
  writer.commit([{ at, samples: admission.admit([reading(name, 1)], NOW).samples, status: statusNamed() }]);
}

/** A new process on the same database; `wallMs` is what its clock says. */
function restart(wallMs: number): void {
  process = startOn(database, { clock: new FakeClock(wallMs) });
}

function epochs(): unknown[] {
  return database.prepare('SELECT first_id, offset_ms, trusted FROM epochs ORDER BY first_id').raw().all();
}

function storedTimes(): number[] {
  return database.prepare<[], number>('SELECT timestamp_ms FROM samples ORDER BY id').pluck().all();
}

function trueTimes(): unknown[] {
  return view(database, 'timestamp_ms').flat();
}

describe('a clock that only runs', () => {
  test('needs no epoch of its own: stored time is true time', async () => {
    for (let turn = 0; turn < 5; turn++) await scrape();
    restart(NOW + 60_000);
    await scrape();
    expect(epochs()).toEqual([[0, 0, 1]]);
    expect(trueTimes()).toEqual([1, 2, 3, 4, 5, 7].map((turn) => NOW + turn * 10_000));
    expect(storedTimes()).toEqual(trueTimes());
  });

  test('is not thought to step when it is slewed or read a little late', async () => {
    for (let turn = 0; turn < 4; turn++) {
      process.clock.step(turn % 2 === 0 ? 400 : -400);
      await scrape();
    }
    expect(epochs()).toEqual([[0, 0, 1]]);
    expect(process.log.said('warn')).toEqual([]);
  });
});

describe('a step', () => {
  test.each([['forward', 2 * HOUR], ['back', -2 * HOUR]])('%s begins an epoch; the rows before keep their time', async (_way, stepMs) => {
    await scrape();
    process.clock.step(stepMs);
    await scrape();
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + stepMs, NOW + 30_000 + stepMs]);
    expect(storedTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(epochs()).toEqual([[0, 0, 1], [2, stepMs, 1]]);
    expect(process.log.said('warn')).toEqual(['warn: the wall clock stepped']);
  });

  test('and a step back again are two epochs', async () => {
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    process.clock.step(-HOUR);
    await scrape();
    expect(epochs()).toEqual([[0, 0, 1], [2, HOUR, 1], [3, 0, 1]]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + HOUR, NOW + 30_000]);
  });

  test('is one row, with the boot and the reason', async () => {
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    expect(database.prepare('SELECT boot_id, reason FROM epochs WHERE first_id = 2').raw().get()).toEqual(['boot-1', 'the wall clock stepped by 3600.0 s']);
  });

  test('of which the transaction failed is recorded by the next one', async () => {
    await scrape();
    process.clock.step(HOUR);
    await process.clock.advance(10_000);
    database.exec(`CREATE TEMP TRIGGER full BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'disk full'); END`);
    expect(() => store(instant())).toThrow('disk full');
    database.exec('DROP TRIGGER full');
    await scrape();
    expect(epochs()).toEqual([[0, 0, 1], [2, HOUR, 1]]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 30_000 + HOUR]);
  });

  test('between the beginning and the end of a slow scrape leaves each row the time of its own beginning', async () => {
    await scrape();
    const slow = instant();
    process.clock.step(HOUR);
    await scrape();
    store(slow, 'slow.x');
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + HOUR, NOW + 10_000, NOW + 30_000 + HOUR]);
    expect(process.log.said('warn')).toEqual(['warn: the wall clock stepped']);
  });
});

describe('stored time', () => {
  test('grows with every moment, however close they are', () => {
    const moments = Array.from({ length: 5 }, () => process.epochs.momentOf(instant()).storedMs);
    expect(moments).toEqual([NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 4]);
  });

  test('grows, and gives back the time of the wall clock to within a step, whatever the clocks do', async () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
      fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
      fc.record({ kind: fc.constant('restart' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
    );
    let stores = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
        database = folder.keep(migratedDatabase(folder.path(`run-${stores++}.db`)));
        restart(NOW);
        const expected: number[] = [];
        for (const { kind, ms } of events) {
          if (kind === 'restart') restart(process.clock.now() + ms);
          if (kind === 'step') process.clock.step(ms);
          await scrape(kind === 'pass' ? ms : 10);
          expected.push(process.clock.now());
        }
        const stored = storedTimes();
        expect(stored).toEqual([...stored].sort((a, b) => a - b));
        expect(new Set(stored).size).toBe(stored.length);
        trueTimes().forEach((time, index) => expect(Math.abs(Number(time) - expected[index]!)).toBeLessThanOrEqual(520));
      }),
      { numRuns: 25 },
    );
  });

  test('goes on above the newest row where the clock comes up behind it', async () => {
    await scrape();
    restart(NOW - HOUR);
    await scrape(0);
    await scrape();
    expect(storedTimes()).toEqual([NOW + 10_000, NOW + 10_001, NOW + 20_001]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW - HOUR, NOW - HOUR + 10_000]);
  });
});

describe('a clock before the program’s build', () => {
  test('makes an epoch that is not trusted', async () => {
    await scrape();
    restart(0);
    await scrape();
    expect(epochs()).toEqual([[0, 0, 1], [2, expect.any(Number), 0]]);
    expect(trueTimes()[1]).toBe(10_000);
    expect(String(database.prepare('SELECT reason FROM epochs WHERE first_id = 2').pluck().get())).toContain('the clock stands before this program was built');
  });

  test('loses no sample where the database is new: they are stored, and held back', async () => {
    restart(0);
    await scrape();
    await scrape();
    expect(storedTimes()).toHaveLength(2);
    expect(epochs().at(-1)).toEqual([1, expect.any(Number), 0]);
    expect(trueTimes()).toEqual([10_000, 20_000]);
  });

  test.each([[BUILT_AT - 1, 0], [BUILT_AT, 1]])('at %p is trusted: %p', async (wallMs, trusted) => {
    restart(wallMs);
    await scrape(0);
    expect(epochs().at(-1)).toMatchObject([expect.any(Number), expect.any(Number), trusted]);
  });

  test('that is set later gives its rows their true time, by one row', async () => {
    restart(0);
    await scrape();
    await scrape();
    process.clock.step(NOW);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(database.prepare('SELECT COUNT(*) FROM epochs WHERE trusted = 0').pluck().get()).toBe(0);
  });

  test('that is set later gives them to all of its epochs, with the steps that were between', async () => {
    restart(0);
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    process.clock.step(NOW - HOUR);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
  });

  test('leaves the rows of an earlier process as they are: nobody knows how much time lies between', async () => {
    restart(0);
    await scrape();
    restart(10_001);
    await scrape();
    await scrape();
    process.clock.step(NOW - 10_001);
    await scrape();
    expect(trueTimes()).toEqual([10_000, NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(epochs().filter((epoch) => (epoch as number[])[2] === 0)).toEqual([[1, expect.any(Number), 0]]);
  });

  test('that goes back there after it was right leaves the right rows alone', async () => {
    await scrape();
    process.clock.step(-NOW);
    await scrape();
    process.clock.step(NOW);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(process.log.said('warn')).toHaveLength(2);
  });
});
