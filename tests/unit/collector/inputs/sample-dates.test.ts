import { describe, expect, test } from '@jest/globals';
import type { ScrapeTarget } from '@thugshells/shared/config/scrape-target-list.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';

import type { ScrapeTargetCollector } from '../../../../collector/src/inputs/scrape-target.ts';
import { collectOnce, formatReadings } from '../../../support/collector/collect-once.ts';
import { NOW } from '../../../support/collector/collector-parts.ts';
import { createPageClient, createTarget, createTargetCollector } from '../../../support/collector/made-target.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

/** The times that a page gives its samples. */

const OWN = /^(up|scrape\..*)$/;
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** What one scrape returned. */
interface Scraped {
  /** `name value` and the age, if there is one. */
  readonly samples: readonly string[];
  readonly ends: readonly string[];
  readonly leftOut: readonly [event: string, count: number][];
}

class TimedTarget {
  readonly clock = new FakeClock(NOW);
  #page = '';
  readonly #collector: ScrapeTargetCollector;

  constructor(options: Partial<ScrapeTarget> = {}) {
    this.#collector = createTargetCollector(createTarget({ labels: {}, ...options }), {
      client: { fetch: (target, limits, read) => createPageClient(this.#page).fetch(target, limits, read) },
      clock: this.clock,
      now: () => this.clock.now(),
    });
  }

  async scrape(page: string): Promise<Scraped> {
    this.#page = page;
    const { readings, failure } = await collectOnce(this.#collector);
    expect(failure.replace(/^cannot scrape node: line 1: .*/, '')).toBe('');
    const others = readings.filter(({ series }) => !OWN.test(series.name));
    const samples = others.filter(({ value }) => value !== STALE_MARKER);
    return {
      samples: samples.map(
        (each) => `${formatReadings([each])[0]!}${each.ageMs === undefined ? '' : ` -${each.ageMs}`}`,
      ),
      ends: others.filter(({ value }) => value === STALE_MARKER).map(({ series }) => series.name),
      leftOut: this.#collector.leftOut.map(({ event, count }) => [event, count]),
    };
  }
}

const dropped = (count: number): [string, number] => ['samples out of order dropped', count];
const replaced = (count: number): [string, number] => ['sample times out of range replaced', count];

describe('sample dates', () => {
  test('sample dates: a sample with a timestamp has its age at the scrape, another has none', async () => {
    const target = new TimedTarget();
    expect(await target.scrape(`a 1 ${NOW - MINUTE}\nb 2\nc 3 ${NOW}\nd 4 ${NOW - HOUR}\n`)).toEqual({
      samples: ['a 1 -60000', 'b 2', 'c 3 -0', `d 4 -${HOUR}`],
      ends: [],
      leftOut: [],
    });
  });

  test('sample dates: a timestamp that a series had before is no new sample, also after a failed or an empty scrape', async () => {
    const target = new TimedTarget();
    const page = `a 1 ${NOW}\nb NaN ${NOW}\nc 2\n`;
    await target.scrape(page);
    for (const each of [page, 'not a metric\n', page, '', page]) {
      await target.clock.advance(2 * HOUR);
      const { samples, leftOut } = await target.scrape(each);
      expect([samples, leftOut]).toEqual([each === page ? ['c 2'] : [], []]);
    }
    expect((await target.scrape(`a 1 ${target.clock.now() - 5}\n`)).samples).toEqual(['a 1 -5']);
  });

  test('sample dates: another value at the same timestamp and an earlier timestamp are left out and counted', async () => {
    const target = new TimedTarget();
    await target.scrape(`a 1 ${NOW}\nb 1 ${NOW}\nc 1 ${NOW}\n`);
    await target.clock.advance(MINUTE);
    expect(await target.scrape(`a 2 ${NOW}\nb 1 ${NOW - 1}\nc 2 ${NOW + 1}\n`)).toEqual({
      samples: ['c 2 -59999'],
      ends: [],
      leftOut: [dropped(2)],
    });
    // What was left out is not what the next scrape is compared with.
    expect((await target.scrape(`a 1 ${NOW}\nb 3 ${NOW + 1}\n`)).samples).toEqual(['b 3 -59999']);
    // Two clocks that are read one after the other differ, and NTP slews one of them.
    for (const stepMs of [1, -1, -400]) {
      target.clock.step(stepMs);
      expect((await target.scrape(`a 2 ${NOW}\nb 3 ${NOW - 1}\n`)).leftOut).toEqual([dropped(2)]);
    }
    target.clock.step(-10_000);
    expect((await target.scrape(`a 2 ${NOW}\n`)).leftOut).toEqual([dropped(1)]);
  });

  test('sample dates: what is over an hour old, or ahead, gets the time of the scrape and is counted', async () => {
    const target = new TimedTarget();
    expect(await target.scrape(`a 1 ${NOW - HOUR - 1}\nb 2 ${NOW + 1_001}\nc 3 ${NOW + 1_000}\nd 4 -5\n`)).toEqual({
      samples: ['a 1 -0', 'b 2 -0', 'c 3 -0', 'd 4 -0'],
      ends: [],
      leftOut: [replaced(3)],
    });
    await target.clock.advance(MINUTE);
    expect(await target.scrape(`a 1 ${NOW - HOUR - 1}\nb 3 ${NOW + 1_002}\n`)).toMatchObject({
      samples: ['b 3 -58998'],
      leftOut: [],
    });
  });

  test('sample dates: a clock that is set back or ahead between two scrapes makes no sample an earlier one', async () => {
    const target = new TimedTarget();
    await target.scrape(`a 1 ${NOW - 10}\n`);
    await target.clock.advance(MINUTE);
    target.clock.step(-3 * HOUR);
    expect(await target.scrape(`a 2 ${target.clock.now() - 10}\n`)).toMatchObject({
      samples: ['a 2 -10'],
      leftOut: [],
    });
    await target.clock.advance(MINUTE);
    const stampedMs = target.clock.now() - 10;
    target.clock.step(HOUR / 2);
    // A millisecond after the last one, which was ten before its scrape.
    expect(await target.scrape(`a 3 ${stampedMs}\n`)).toMatchObject({ samples: [`a 3 -${MINUTE + 9}`], leftOut: [] });
  });

  test('sample dates: with honor_timestamps false samples have the time of the scrape, however old', async () => {
    const target = new TimedTarget({ honorTimestamps: false });
    for (let scrape = 0; scrape < 2; scrape++)
      expect(await target.scrape(`a 1 ${NOW - 24 * HOUR}\nb 2 ${NOW}\n`)).toMatchObject({
        samples: ['a 1', 'b 2'],
        leftOut: [],
      });
    expect((await target.scrape('b 2\n')).ends).toEqual(['a']);
  });

  test('sample dates: a series with timestamps ends without a marker, unless it is tracked', async () => {
    const pages = [`a 1 ${NOW}\nb 2\nc 3 ${NOW}\n`, `b 2\nc 3 ${NOW}\n`, 'not a metric\n'];
    const ends = async (options: Partial<ScrapeTarget>): Promise<unknown> => {
      const target = new TimedTarget(options);
      const all = [];
      for (const page of pages) all.push((await target.scrape(page)).ends);
      return all;
    };
    expect(await ends({})).toEqual([[], [], ['b']]);
    expect(await ends({ tracksTimestampedSeries: true })).toEqual([[], ['a'], ['b', 'c']]);
  });
});
