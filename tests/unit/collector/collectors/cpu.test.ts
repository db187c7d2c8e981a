import { describe, expect, test } from '@jest/globals';

import { CpuCollector, parseStat } from '../../../../collector/src/collectors/cpu.ts';
import { readRecorded, scrapeTexts, TextKernel } from '../../../support/collector/text-kernel.ts';

/** Text of /proc/stat with the ticks of each core; the line of all cores is their sum. */
function statText(cores: Readonly<Record<string, readonly number[]>>): string {
  const all = Object.values(cores).reduce((sum, ticks) => sum.map((value, mode) => value + (ticks[mode] ?? 0)));
  const lines = Object.entries(cores).map(([core, ticks]) => `cpu${core} ${ticks.join(' ')}\n`);
  return `cpu  ${all.join(' ')}\n${lines.join('')}intr 5 0 0\nctxt 9\nbtime 1\n`;
}

function scrapesOf(...texts: string[]) {
  const kernel = new TextKernel();
  return scrapeTexts(new CpuCollector(kernel), kernel, 'proc/stat', texts);
}

const COUNTED = ['user', 'nice', 'system', 'idle', 'iowait', 'irq', 'softirq', 'steal'];
//               user nice sys idle iowait irq softirq steal guest guest_nice
const start = [100, 10, 50, 1000, 20, 1, 4, 5, 0, 0];

describe('usage', () => {
  test('has no reading at the first scrape, for there is nothing to compare with (A-23)', async () => {
    expect(await scrapesOf(statText({ 0: start }))).toEqual({});
  });

  test('is the share of time that was not idle, and waiting for I/O is idle', async () => {
    const readings = await scrapesOf(statText({ 0: start }), statText({ 0: [130, 15, 60, 1040, 30, 2, 6, 7, 0, 0] }));
    expect(readings['cpu.usage_percent{core=0}']).toBe(50);
    expect(readings['cpu.usage_percent{core=all}']).toBe(50);
  });

  test('is split by mode over all cores, and the modes make up the whole', async () => {
    const readings = await scrapesOf(
      statText({ 0: start, 1: start }),
      statText({ 0: [130, 15, 60, 1040, 30, 2, 6, 7, 0, 0], 1: [100, 10, 50, 1100, 20, 1, 4, 5, 0, 0] }),
    );
    const modes = COUNTED.map((mode) => readings[`cpu.mode_percent{mode=${mode}}`]);
    expect(modes).toEqual([15, 2.5, 5, 70, 5, 0.5, 1, 1]);
    expect(Object.keys(readings).sort()).toEqual(
      [
        ...COUNTED.map((mode) => `cpu.mode_percent{mode=${mode}}`),
        ...['0', '1', 'all'].map((core) => `cpu.usage_percent{core=${core}}`),
      ].sort(),
    );
  });

  test('does not count guests twice, who are already in user and nice', async () => {
    const readings = await scrapesOf(statText({ 0: start }), statText({ 0: [140, 20, 50, 1050, 20, 1, 4, 5, 40, 10] }));
    expect(readings['cpu.usage_percent{core=0}']).toBe(50);
    expect(readings['cpu.mode_percent{mode=user}']).toBe(40);
  });

  test('takes an iowait that fell as no waiting, as the kernel lets it fall', async () => {
    const readings = await scrapesOf(statText({ 0: start }), statText({ 0: [125, 10, 50, 1075, 11, 1, 4, 5, 0, 0] }));
    expect(readings['cpu.usage_percent{core=0}']).toBe(25);
    expect(readings['cpu.mode_percent{mode=iowait}']).toBe(0);
    expect(readings['cpu.mode_percent{mode=idle}']).toBe(75);
  });

  test.each(COUNTED.map((mode, index) => [mode, index] as const).filter(([mode]) => mode !== 'iowait'))(
    'of a core whose %s wrapped around is left out for one scrape, while the other core is read',
    async (_mode, index) => {
      const later = [200, 20, 60, 1100, 30, 2, 6, 7, 0, 0];
      const wrapped = later.with(index, 0);
      const latest = later.map((ticks) => ticks + 100);
      const during = await scrapesOf(statText({ 0: start, 1: start }), statText({ 0: wrapped, 1: later }));
      expect(during).not.toHaveProperty(['cpu.usage_percent{core=0}']);
      expect(during['cpu.usage_percent{core=1}']).toBeGreaterThan(0);
      const after = await scrapesOf(
        statText({ 0: start, 1: start }),
        statText({ 0: wrapped, 1: later }),
        statText({ 0: latest, 1: latest }),
      );
      expect(after['cpu.usage_percent{core=0}']).toBeGreaterThan(0);
    },
  );

  test('of all cores is left out, modes too, when its own line went back (A-24)', async () => {
    const readings = await scrapesOf(statText({ 0: start }), statText({ 0: start.with(0, 99).with(3, 2000) }));
    expect(readings).toEqual({});
  });

  test('of a core that comes back is left out until it has been read twice', async () => {
    const both = (ticks: number) => statText({ 0: start.with(3, ticks), 1: start.with(3, ticks) });
    const one = statText({ 0: start.with(3, 1100) });
    expect(await scrapesOf(both(1000), one)).not.toHaveProperty(['cpu.usage_percent{core=1}']);
    expect(await scrapesOf(both(1000), one, both(1200))).not.toHaveProperty(['cpu.usage_percent{core=1}']);
    expect(await scrapesOf(both(1000), one, both(1200), both(1300))).toHaveProperty(['cpu.usage_percent{core=1}'], 0);
  });

  test('has no reading when no tick has passed', async () => {
    expect(await scrapesOf(statText({ 0: start }), statText({ 0: start }))).toEqual({});
  });

  test('of counters beyond the exact integers stays between 0 and 100', async () => {
    const huge = (ticks: string) => `cpu ${`${ticks} `.repeat(10)}\n`;
    const readings = Object.values(await scrapesOf(huge('18446744073700000001'), huge('18446744073709551615')));
    expect(readings).toHaveLength(9);
    for (const value of readings) expect(value).toBeLessThanOrEqual(100);
    expect(Math.min(...(readings as number[]))).toBeGreaterThanOrEqual(0);
  });
});

describe('the recorded device', () => {
  test('is read as psutil reads it', async () => {
    const readings = await scrapesOf(readRecorded('proc/stat'), readRecorded('proc-later/stat'));
    expect(readings['cpu.usage_percent{core=all}']).toBeCloseTo(22.6, 1);
    expect(readings['cpu.usage_percent{core=0}']).toBeCloseTo(42.0, 1);
    expect(readings['cpu.usage_percent{core=1}']).toBeCloseTo(3.3, 1);
  });

  test('has two cores and all of them', () => {
    expect([...parseStat(readRecorded('proc/stat')).keys()]).toEqual(['all', '0', '1']);
  });
});
