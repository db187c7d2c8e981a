import { describe, expect, test } from '@jest/globals';

import { CpuCollector } from '../../../../collector/src/collectors/cpu.ts';
import { parseStat } from '../../../../collector/src/collectors/readers/cpu-times.ts';
import { extractReadings } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { indexByIdentity, readRecorded, scrapeTexts, TextKernel } from '../../../support/collector/text-kernel.ts';

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

  test('of a core that was reset is left out for one scrape, while the other core is read', async () => {
    const later = [200, 20, 60, 1100, 30, 2, 6, 7, 0, 0];
    const reset = [1, 0, 1, 5, 0, 0, 0, 0, 0, 0];
    const latest = (ticks: readonly number[]) => ticks.map((value) => value + 100);
    const during = await scrapesOf(statText({ 0: start, 1: start }), statText({ 0: reset, 1: later }));
    expect(during).not.toHaveProperty(['cpu.usage_percent{core=0}']);
    expect(during['cpu.usage_percent{core=1}']).toBeGreaterThan(0);
    const after = await scrapesOf(
      statText({ 0: start, 1: start }),
      statText({ 0: reset, 1: later }),
      statText({ 0: latest(reset), 1: latest(later) }),
    );
    expect(after['cpu.usage_percent{core=0}']).toBeGreaterThan(0);
  });

  test.each(COUNTED.map((mode, index) => [mode, index] as const).filter(([mode]) => mode !== 'iowait'))(
    'of a core whose %s wrapped around is left out for one scrape, of all cores too (A-24)',
    async (_mode, index) => {
      const later = [200, 20, 60, 1100, 30, 2, 6, 7, 0, 0];
      const before = start.with(index, 4_294_967_290);
      expect(await scrapesOf(statText({ 0: before }), statText({ 0: later }))).toEqual({});
    },
  );

  test.each(COUNTED.map((mode, index) => [mode, index] as const))(
    'takes a %s that went back by a tick as no increase, and keeps the core and the other modes',
    async (_mode, index) => {
      const later = [130, 15, 60, 1040, 30, 2, 6, 7, 0, 0].with(index, (start[index] as number) - 1);
      const readings = await scrapesOf(statText({ 0: start }), statText({ 0: later }));
      const ticks = [30, 5, 10, 40, 10, 1, 2, 2].with(index, 0);
      const total = ticks.reduce((sum, one) => sum + one);
      expect(COUNTED.map((one) => readings[`cpu.mode_percent{mode=${one}}`])).toEqual(
        ticks.map((one) => 100 * (one / total)),
      );
      const usage = 100 * ((total - (ticks[3] as number) - (ticks[4] as number)) / total);
      expect(readings['cpu.usage_percent{core=0}']).toBeCloseTo(usage, 9);
      expect(readings['cpu.usage_percent{core=all}']).toBeCloseTo(usage, 9);
    },
  );

  test('is left out when the idle time jumped back: a core that did nothing would be busy', async () => {
    const readings = await scrapesOf(statText({ 0: start }), statText({ 0: start.with(0, 160).with(3, 950) }));
    expect(readings).toEqual({});
  });

  test('of a core that comes back is left out until it has been read twice', async () => {
    const both = (ticks: number) => statText({ 0: start.with(3, ticks), 1: start.with(3, ticks) });
    const one = statText({ 0: start.with(3, 1100) });
    expect(await scrapesOf(both(1000), one)).not.toHaveProperty(['cpu.usage_percent{core=1}']);
    expect(await scrapesOf(both(1000), one, both(1200))).not.toHaveProperty(['cpu.usage_percent{core=1}']);
    expect(await scrapesOf(both(1000), one, both(1200), both(1300))).toHaveProperty(['cpu.usage_percent{core=1}'], 0);
  });

  test('of all cores is that of the cores that stay when one goes offline, whose time the kernel then counts otherwise', async () => {
    const line = (label: string, ticks: readonly number[]) => `${label} ${ticks.join(' ')}\n`;
    const twice = start.map((ticks) => 2 * ticks);
    const before = line('cpu', twice) + line('cpu0', start) + line('cpu1', start);
    const ofCore0 = [125, 10, 50, 1075, 20, 1, 4, 5, 0, 0];
    // The idle time of all went back by more than what it grew, or by less: neither is how idle the cores were.
    for (const idle of [1500, 2060]) {
      const during = await scrapesOf(before, line('cpu', twice.with(0, 240).with(3, idle)) + line('cpu0', ofCore0));
      expect(during['cpu.usage_percent{core=all}']).toBe(25);
      expect(during['cpu.mode_percent{mode=idle}']).toBe(75);
      expect(during).not.toHaveProperty(['cpu.usage_percent{core=1}']);
    }
  });

  test('of all cores is theirs when its own line jumped back', async () => {
    const readings = await scrapesOf(
      `cpu  ${start.join(' ')}\ncpu0 ${start.join(' ')}\n`,
      `cpu  ${start.with(3, 500).join(' ')}\ncpu0 ${start.with(0, 150).with(3, 1050).join(' ')}\n`,
    );
    expect(readings['cpu.usage_percent{core=all}']).toBe(50);
  });

  test('of all cores is theirs when its own line has zeros that stand still', async () => {
    const stat = (ticks: readonly number[]) => `cpu  0 0 0 0 0 0 0 0 0 0\ncpu0 ${ticks.join(' ')}\n`;
    const readings = await scrapesOf(stat(start), stat(start.with(0, 150).with(3, 1050)));
    expect(readings['cpu.usage_percent{core=all}']).toBe(50);
    expect(readings['cpu.mode_percent{mode=idle}']).toBe(50);
  });

  test('is left out when the time stolen from a virtual machine fell below 0, which is written as nearly 2^64', async () => {
    const later = start.with(0, 110).with(3, 1090);
    const below = statText({ 0: later }).replaceAll(/ 5 0 0$/gm, ' 18446744073709551611 0 0');
    expect(below).toMatch(/^cpu .*611 0 0\ncpu0 .*611 0 0\n/);
    expect(await scrapesOf(statText({ 0: start }), below)).toEqual({});
    const readings = await scrapesOf(statText({ 0: start }), below, below.replaceAll(' 1090 ', ' 1180 '));
    expect(readings['cpu.usage_percent{core=0}']).toBe(0);
  });

  test('of all cores is theirs beside two lines "cpu", the first of zeros, and a notice says so', async () => {
    const kernel = new TextKernel();
    const collector = new CpuCollector(kernel);
    const stat = (ticks: readonly number[]) =>
      `cpu  0 0 0 0 0 0 0 0 0 0\ncpu  ${ticks.map((one) => 2 * one).join(' ')}\ncpu0 ${ticks.join(' ')}\ncpu1 ${ticks.join(' ')}\n`;
    const texts = [stat(start), stat(start.with(0, 150).with(3, 1050))];
    const readings = await scrapeTexts(collector, kernel, 'proc/stat', texts);
    expect(readings['cpu.usage_percent{core=all}']).toBe(50);
    expect(readings['cpu.usage_percent{core=1}']).toBe(50);
    expect(readings['cpu.mode_percent{mode=user}']).toBe(50);
    expect(collector.notice).toBe(
      '/proc/stat has 2 lines of all cores: their usage is the sum of the cores; update lxcfs if it provides the file',
    );
  });

  test.each([
    ['of another core', (text: string) => text.replace('cpu0 1', 'cpu0 x'), ['1', 'all'], 'line 2: "x1'],
    ['that is cut short', (text: string) => text.replace(/(cpu0.*) 0\n/, '$1\n'), ['1', 'all'], 'line 2: 9 numbers'],
    ['of all cores, cut short', (text: string) => text.replace(/ 0\n/, '\n'), ['0', '1'], 'line 1: 9 numbers'],
    ['of all cores', (text: string) => text.replace('cpu  ', 'cpu  -'), ['0', '1'], 'line 1: "-'],
    ['that is there twice', (text: string) => `${text}cpu1 1 2 3 4 5 6 7 8 9 10\n`, ['0', '1', 'all'], 'line 7'],
    ['of something else', (text: string) => `${text}cpux 1 2 3 4 5 6 7 8 9 10\n`, ['0', '1', 'all'], 'line 7: "cpux"'],
  ])('of the others is read beside a malformed line %s, which is named', async (_, spoil, cores, named) => {
    const later = [110, 10, 50, 1090, 20, 1, 4, 5, 0, 0];
    const kernel = new TextKernel({ 'proc/stat': statText({ 0: start, 1: start }) });
    const collector = new CpuCollector(kernel);
    await collector.collect();
    kernel.files.set('proc/stat', spoil(statText({ 0: later, 1: later })));
    const error = await collector.collect().catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'KERNEL_FILE_MALFORMED',
      message: expect.stringContaining(`cannot parse /proc/stat: ${named}`),
    });
    const readings = indexByIdentity(extractReadings(error));
    const usage = Object.entries(readings).filter(([identity]) => identity.startsWith('cpu.usage_percent'));
    expect(Object.fromEntries(usage)).toEqual(
      Object.fromEntries(cores.map((core) => [`cpu.usage_percent{core=${core}}`, 10])),
    );
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
    const { times, cores, totals, errors } = parseStat(readRecorded('proc/stat'));
    expect([[...times.keys()], cores, totals, errors]).toEqual([['all', '0', '1'], ['0', '1'], 1, []]);
  });
});
