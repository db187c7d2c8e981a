// Longer than a test should be: every way in which a clock can be wrong, with and without a receiver that knows better.
import { beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import type { Database } from '@thugshells/shared/database/open.ts';

import { readInstant } from '../../../../../collector/src/store/clock/clock-epochs.ts';
import type { Instant } from '../../../../../collector/src/store/clock/epoch-transition.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';
import {
  BUILT_AT,
  migratedDatabase,
  NOW,
  reading,
  startOn,
  createStatus,
  view,
} from '../../../../support/collector/collector-parts.ts';

const HOUR = 3_600_000;
const folder = useTemporaryFolder();
let database: Database;
let process: ReturnType<typeof startOn>;
let boots: number;

beforeEach(() => {
  boots = 1;
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
  process = startOn(database);
});

/** One scrape of one series, `afterMs` after the one before. */
async function scrape(afterMs = 10_000): Promise<void> {
  await process.clock.advance(afterMs);
  store(instant());
}

function instant(): Instant {
  return readInstant(process.clock);
}

function store(at: Instant, name = 'a.x'): void {
  const { admission, writer } = process;
  writer.commit([{ at, samples: admission.admit([reading(name, 1)], NOW).samples, status: createStatus() }]);
}

/** The machine boots again, on the same database; `wallMs` is the time of its clock then. */
function reboot(wallMs: number): void {
  process = startOn(database, { clock: new FakeClock(wallMs), bootId: `boot-${(boots += 1)}` });
}

/** A new process in the same boot, as soon as can be. */
function restart(): void {
  const { clock } = process;
  process = startOn(database, {
    clock: new FakeClock(clock.now() + 1, clock.sinceBoot() + 1),
    bootId: `boot-${boots}`,
  });
}

/** What the uploader notes when it has asked the receiver: this clock is ahead by so much. */
function compare(aheadMs: number, policy: 'hold' | 'correct' = 'hold'): void {
  const { clock } = process;
  const insert = database.prepare(
    'INSERT OR REPLACE INTO receiver_clock (boot_id, booted_at_ms, policy, measured_at) VALUES (?, ?, ?, ?)',
  );
  insert.run(`boot-${boots}`, clock.now() - aheadMs - clock.sinceBoot(), policy, clock.now() - aheadMs);
}

/** first_id, offset_ms, trusted */
function epochs(): unknown[] {
  return database.prepare('SELECT first_id, offset_ms, trusted FROM epochs ORDER BY first_id').raw().all();
}

/** First ids of the epochs whose rows are held. */
function held(): unknown[] {
  return database.prepare('SELECT first_id FROM clock_epochs WHERE NOT trusted ORDER BY first_id').pluck().all();
}

function storedTimes(): number[] {
  return database.prepare<[], number>('SELECT timestamp_ms FROM samples ORDER BY id').pluck().all();
}

function trueTimes(): unknown[] {
  return view(database, 'timestamp_ms').flat();
}

describe('clock epochs: a clock without steps', () => {
  test('a clock without steps needs one epoch a boot: stored time is corrected time', async () => {
    for (let turn = 0; turn < 5; turn++) await scrape();
    restart();
    await scrape(9_999);
    expect(epochs()).toEqual([[1, 0, 1]]);
    reboot(NOW + 70_000);
    await scrape();
    expect(epochs()).toEqual([
      [1, 0, 1],
      [7, 0, 1],
    ]);
    expect(trueTimes()).toEqual([1, 2, 3, 4, 5, 6, 8].map((turn) => NOW + turn * 10_000));
    expect(storedTimes()).toEqual(trueTimes());
  });

  test('a clock that is slewed by less than a step stays in its epoch', async () => {
    for (let turn = 0; turn < 4; turn++) {
      process.clock.step(turn % 2 === 0 ? 400 : -400);
      await scrape();
    }
    expect(epochs()).toEqual([[1, 0, 1]]);
    expect(process.log.said('warn')).toEqual([]);
  });
});

describe('clock epochs: a step of the clock', () => {
  test.each([
    ['forward', 2 * HOUR],
    ['back', -2 * HOUR],
  ])('a step %s begins an epoch; earlier samples keep their time', async (_way, stepMs) => {
    await scrape();
    process.clock.step(stepMs);
    await scrape();
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + stepMs, NOW + 30_000 + stepMs]);
    expect(storedTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(epochs()).toEqual([
      [1, 0, 1],
      [2, stepMs, 1],
    ]);
    expect(process.log.said('warn')).toEqual(['warn: wall clock stepped']);
  });

  test('a step and a step back are two more epochs', async () => {
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    process.clock.step(-HOUR);
    await scrape();
    expect(epochs()).toEqual([
      [1, 0, 1],
      [2, HOUR, 1],
      [3, 0, 1],
    ]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + HOUR, NOW + 30_000]);
  });

  test('a step is one row of the table, with the boot and the reason', async () => {
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    expect(database.prepare('SELECT boot_id, reason FROM epochs WHERE first_id = 2').raw().get()).toEqual([
      'boot-1',
      'the wall clock stepped by 3600.0 s',
    ]);
  });

  test('a step is recorded by the next transaction if its own failed', async () => {
    await scrape();
    process.clock.step(HOUR);
    await process.clock.advance(10_000);
    database.exec(
      `CREATE TEMP TRIGGER full BEFORE INSERT ON collector_status BEGIN SELECT RAISE(ABORT, 'disk full'); END`,
    );
    expect(() => store(instant())).toThrow('disk full');
    database.exec('DROP TRIGGER full');
    await scrape();
    expect(epochs()).toEqual([
      [1, 0, 1],
      [2, HOUR, 1],
    ]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 30_000 + HOUR]);
  });

  test('a step during a slow scrape: each sample has the time at which its scrape began', async () => {
    await scrape();
    const slow = instant();
    process.clock.step(HOUR);
    await scrape();
    store(slow, 'slow.x');
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + HOUR, NOW + 10_000, NOW + 30_000 + HOUR]);
    expect(process.log.said('warn')).toEqual(['warn: wall clock stepped']);
  });
});

describe('clock epochs: stored time', () => {
  test('stored time grows with every moment, however close they are', () => {
    const moments = Array.from({ length: 5 }, () => process.epochs.toMoment(instant()).storedMs);
    expect(moments).toEqual([NOW, NOW + 1, NOW + 2, NOW + 3, NOW + 4]);
  });

  test('stored time grows, and corrected time is the wall clock’s to within a step, for any steps and restarts', async () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant('pass' as const), ms: fc.integer({ min: 0, max: 60_000 }) }),
      fc.record({ kind: fc.constant('step' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
      fc.record({ kind: fc.constant('restart' as const), ms: fc.integer({ min: -HOUR, max: HOUR }) }),
    );
    let stores = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 12 }), async (events) => {
        database = folder.keep(migratedDatabase(folder.path(`run-${stores++}.db`)));
        reboot(NOW);
        const expected: number[] = [];
        for (const { kind, ms } of events) {
          if (kind === 'restart') reboot(process.clock.now() + ms);
          if (kind === 'step') process.clock.step(ms);
          await scrape(kind === 'pass' ? ms : 10);
          expected.push(process.clock.now());
        }
        const stored = storedTimes();
        expect(stored).toEqual([...stored].sort((a, b) => a - b));
        expect(new Set(stored).size).toBe(stored.length);
        trueTimes().forEach((time, index) =>
          expect(Math.abs(Number(time) - expected[index]!)).toBeLessThanOrEqual(520),
        );
      }),
      { numRuns: 25 },
    );
  });

  test('stored time starts above the newest sample if the clock starts behind it', async () => {
    await scrape();
    reboot(NOW - HOUR);
    await scrape(0);
    await scrape();
    expect(storedTimes()).toEqual([NOW + 10_000, NOW + 10_001, NOW + 20_001]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW - HOUR, NOW - HOUR + 10_000]);
  });
});

describe('clock epochs: a clock before the program’s build', () => {
  test('a clock before the build begins an epoch that is not trusted', async () => {
    await scrape();
    reboot(0);
    await scrape();
    expect(epochs()).toEqual([
      [1, 0, 1],
      [2, expect.any(Number), 0],
    ]);
    expect(trueTimes()[1]).toBe(10_000);
    expect(String(database.prepare('SELECT reason FROM epochs WHERE first_id = 2').pluck().get())).toContain(
      'the clock stands before this program was built',
    );
  });

  test('a clock before the build: samples are stored and held in a new database too', async () => {
    reboot(0);
    await scrape();
    await scrape();
    expect(storedTimes()).toHaveLength(2);
    expect(epochs().at(-1)).toEqual([1, expect.any(Number), 0]);
    expect(trueTimes()).toEqual([10_000, 20_000]);
  });

  test.each([
    [BUILT_AT - 1, 0],
    [BUILT_AT, 1],
  ])('a clock at %p is trusted: %p', async (wallMs, trusted) => {
    reboot(wallMs);
    await scrape(0);
    expect(epochs().at(-1)).toMatchObject([expect.any(Number), expect.any(Number), trusted]);
  });

  test('a clock that is set later corrects its held samples by one row', async () => {
    reboot(0);
    await scrape();
    await scrape();
    process.clock.step(NOW);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(database.prepare('SELECT COUNT(*) FROM epochs WHERE trusted = 0').pluck().get()).toBe(0);
  });

  test('a clock that is set later corrects all epochs of its boot, with the steps between them', async () => {
    reboot(0);
    await scrape();
    process.clock.step(HOUR);
    await scrape();
    process.clock.step(NOW - HOUR);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
  });

  test('a clock that is set later corrects the samples of an earlier process of the boot', async () => {
    reboot(0);
    await scrape();
    restart();
    await scrape(9_999);
    process.clock.suspend(HOUR);
    await scrape();
    process.clock.step(NOW);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000 + HOUR, NOW + 40_000 + HOUR]);
    expect(held()).toEqual([]);
  });

  test('held samples of an earlier boot are marked lost: their clock cannot be known any more', async () => {
    reboot(0);
    await scrape();
    await scrape();
    expect(database.prepare('SELECT lost FROM epochs').pluck().all()).toEqual([0]);
    reboot(NOW);
    await scrape();
    expect(trueTimes()).toEqual([10_000, 20_000, NOW + 10_000]);
    expect(database.prepare('SELECT first_id, lost FROM epochs').raw().all()).toEqual([
      [1, 1],
      [3, 0],
    ]);
    expect(held()).toEqual([1]);
    expect(process.log.said('warn')).toEqual(['warn: samples without corrected time rejected']);
    restart();
    await scrape();
    expect(process.log.said('warn')).toEqual([]);
  });

  test('a clock before the build is trusted if the receiver agrees with it', async () => {
    reboot(BUILT_AT - HOUR);
    await scrape();
    expect(held()).toEqual([1]);
    compare(1_000);
    await scrape();
    expect([held(), trueTimes()]).toEqual([[], [BUILT_AT - HOUR + 10_000, BUILT_AT - HOUR + 20_000]]);
  });

  test('a clock that falls back before the build leaves earlier samples unchanged', async () => {
    await scrape();
    process.clock.step(-NOW);
    await scrape();
    process.clock.step(NOW);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
    expect(process.log.said('warn')).toHaveLength(2);
  });
});

describe('clock epochs: a clock that differs from the receiver’s', () => {
  const DAY = 24 * HOUR;

  test.each([
    [DAY, []],
    [DAY + 1_000, [1]],
    [-DAY, []],
    [-DAY - 1_000, [1]],
  ])('a skew of %p ms holds the samples from %p on once it is known', async (aheadMs, expected) => {
    await scrape();
    compare(aheadMs);
    expect(held()).toEqual(expected);
    await scrape();
    expect(held()).toEqual(expected.length === 0 ? [] : [1, 2]);
  });

  test('a skew of three days is logged once, and its samples are corrected when the clock is set', async () => {
    await scrape();
    compare(3 * DAY);
    await scrape();
    await scrape();
    expect(process.log.said('warn')).toEqual(['warn: wall clock stepped']);
    expect(String(database.prepare('SELECT reason FROM epochs ORDER BY first_id DESC').pluck().get())).toContain(
      'differs from the receiver’s by more than a day',
    );
    process.clock.step(-3 * DAY);
    await scrape();
    expect(held()).toEqual([]);
    expect(trueTimes()).toEqual([1, 2, 3, 4].map((turn) => NOW - 3 * DAY + turn * 10_000));
  });

  test('delivered samples keep the time that they were sent with, so that a retry is the same sample', async () => {
    for (let turn = 0; turn < 4; turn++) await scrape();
    database.exec('INSERT INTO settled VALUES (2, 3)');
    compare(3 * DAY);
    process.clock.step(-3 * DAY);
    await scrape();
    const [first, second, third, fourth] = [1, 2, 3, 4].map((turn) => NOW + turn * 10_000) as [
      number,
      number,
      number,
      number,
    ];
    expect(trueTimes()).toEqual([first - 3 * DAY, second, third, fourth - 3 * DAY, NOW + 50_000 - 3 * DAY]);
    expect(held()).toEqual([]);
  });

  test('samples of an epoch that agreed with the receiver are not held after a later skew', async () => {
    compare(0);
    await scrape();
    process.clock.step(3 * DAY);
    await scrape();
    expect(held()).toEqual([2]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + 3 * DAY]);
  });

  test('samples of a skewed boot are corrected by the receiver’s clock in the next boot', async () => {
    await scrape();
    compare(-3 * DAY);
    await scrape();
    reboot(NOW + 4 * DAY);
    await scrape();
    expect(held()).toEqual([]);
    expect(trueTimes()).toEqual([NOW + 3 * DAY + 10_000, NOW + 3 * DAY + 20_000, NOW + 4 * DAY + 10_000]);
  });
});

describe('clock epochs: samples are stamped by the receiver’s clock', () => {
  test.each([
    ['is at 1970', -NOW],
    ['is an hour behind', -HOUR],
    ['is three days ahead', 72 * HOUR],
  ])('policy correct: a clock that %s stores the receiver’s times, also of held samples', async (_, aheadMs) => {
    reboot(NOW + aheadMs);
    await scrape();
    compare(aheadMs, 'correct');
    expect(held()).toEqual([1]);
    await scrape();
    await scrape();
    expect(held()).toEqual([]);
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000, NOW + 30_000]);
  });

  test('policy correct: a step of the wall clock changes nothing', async () => {
    compare(2 * HOUR, 'correct');
    await scrape();
    process.clock.step(-9 * HOUR);
    await scrape();
    expect(trueTimes()).toEqual([NOW - 2 * HOUR + 10_000, NOW - 2 * HOUR + 20_000]);
    expect(process.epochs.skewMs()).toBe(-7 * HOUR);
  });
});

describe('clock epochs: reasons and number of epochs', () => {
  /** The reason of the newest one. */
  const reason = (): unknown => database.prepare('SELECT reason FROM epochs ORDER BY first_id DESC').pluck().get();

  test('an epoch after a suspend has it as its reason, and no sample moves', async () => {
    await scrape();
    process.clock.suspend(8 * HOUR);
    await scrape();
    expect(trueTimes()).toEqual([NOW + 10_000, NOW + 20_000 + 8 * HOUR]);
    expect([reason(), process.log.said('warn')]).toEqual(['the machine was suspended for 28800.0 s', []]);
  });

  test.each([1, -1])('an epoch of drift is not logged as a step, direction %p', async (sign) => {
    for (let turn = 0; turn < 30; turn++) {
      process.clock.step(sign * 100);
      await scrape();
    }
    expect(String(reason())).toMatch(/^the wall clock drifted by -?0\.[56] s$/);
    expect(process.log.said('warn')).toEqual([]);
    trueTimes().forEach((time, index) =>
      expect(Math.abs(Number(time) - (NOW + (index + 1) * (10_000 + sign * 100)))).toBeLessThanOrEqual(600),
    );
  });

  test('an epoch is deleted with the last of its samples', async () => {
    for (let turn = 0; turn < 3; turn++) {
      process.clock.step(HOUR);
      await scrape();
    }
    database.exec('DELETE FROM samples WHERE id <= 2');
    process.clock.step(HOUR);
    await scrape();
    expect(epochs().map((epoch) => (epoch as number[])[0])).toEqual([3, 4]);
  });

  test('an epoch takes a larger step the more there are, so that a jumping clock does not fill the table', async () => {
    for (let turn = 0; turn < 600; turn++) {
      process.clock.step(turn % 2 === 0 ? 800 : -800);
      await scrape(1_000);
    }
    expect(epochs().length).toBe(250);
  });
});

describe('clock epochs: a stored value that is no time', () => {
  test.each([['abc'], [8.64e15], [2n ** 62n], [Infinity], [Buffer.from('1')]])(
    'in a sample (%p) is not gone on from: the next samples have times of now',
    async (storedMs) => {
      await scrape();
      database.prepare('UPDATE samples SET timestamp_ms = ?').run(storedMs);
      restart();
      await scrape();
      expect(database.prepare('SELECT timestamp_ms FROM metrics ORDER BY id DESC LIMIT 1').pluck().get()).toBe(
        process.clock.now(),
      );
    },
  );

  test.each([
    ['offset_ms', 'abc'],
    ['boot_base_ms', 1.5],
    ['trusted', 7],
  ])('in the newest epoch (%s = %j) begins a new one', async (column, value) => {
    await scrape();
    database.prepare(`UPDATE epochs SET ${column} = ?`).run(value);
    restart();
    await scrape();
    const newest = 'SELECT typeof(offset_ms), typeof(boot_base_ms), trusted FROM epochs ORDER BY first_id DESC LIMIT 1';
    expect(database.prepare(newest).raw().get()).toEqual(['integer', 'integer', 1]);
    expect(database.prepare('SELECT COUNT(*) FROM epochs').pluck().get()).toBe(2);
  });

  test('of a receiver’s clock in another boot loses no samples of that boot', async () => {
    await scrape();
    database.exec("INSERT INTO receiver_clock VALUES ('boot-1', 'abc', 'hold', 0)");
    reboot(process.clock.now() + HOUR);
    await scrape();
    expect(database.prepare('SELECT lost FROM epochs ORDER BY first_id').pluck().all()).toEqual([0, 0]);
  });
});
