import { describe, expect, test } from '@jest/globals';

import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';

import type { Collector } from '../../../../collector/src/collectors/collector.ts';
import { PartialResultError } from '../../../../collector/src/collectors/readers/partial-result.ts';
import { collectOnce } from '../../../../collector/src/commands/once.ts';
import { SeriesLimit, type SeriesLimitOptions } from '../../../../collector/src/scheduling/series-limit.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { NOW, reading } from '../../../support/collector/collector-parts.ts';

function collector(name: string, collect: Collector['collect'], comparesReads = false): Collector {
  return { name, comparesReads, collect };
}

/** Runs `once` over these collectors while the clock runs on. */
async function runOnce(
  collectors: readonly Collector[],
  labels = {},
  limits: SeriesLimitOptions = { perCollector: 1000, total: 5000 },
) {
  const clock = new FakeClock(NOW);
  const result = collectOnce(collectors, {
    clock,
    deviceId: 'b1',
    remoteProtocol: 'victoriametrics',
    labels,
    seriesLimit: new SeriesLimit(limits),
  });
  await clock.advance(0);
  await clock.advance(1_000);
  const { lines, failures, remarks } = await result;
  return {
    failures,
    remarks,
    clock,
    lines,
    parsed: lines
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line) as unknown),
  };
}

test('prints each reading as a line of VictoriaMetrics’ JSON', async () => {
  const { lines, failures } = await runOnce(
    [collector('cpu', async () => [reading('cpu.usage_percent', 12.5, { core: 'all' })])],
    { simulated: 'true' },
  );
  expect(lines).toBe(
    `{"metric":{"__name__":"cpu_usage_percent","core":"all","simulated":"true","device_id":"b1"},"values":[12.5],"timestamps":[${NOW}]}\n`,
  );
  expect(failures).toEqual([]);
});

test('once: prints a sample with a time of its own under that', async () => {
  const { parsed } = await runOnce([collector('scrape:a', async () => [{ ...reading('a.x', 1), ageMs: 60_000 }])]);
  expect(parsed).toMatchObject([{ timestamps: [NOW - 60_000] }]);
});

test('once: names the files whose value is no reading, which is no failure', async () => {
  const temperature = {
    ...collector('temperature', async () => []),
    leftOut: [{ event: 'value left out', count: 0, reason: 'x is above 2000 °C' }],
  };
  expect(await runOnce([temperature])).toMatchObject({ failures: [], remarks: ['x is above 2000 °C'] });
});

test('prints a text as a label of the value 1', async () => {
  const { parsed } = await runOnce([collector('system', async () => [reading('system.kernel', '5.10.160')])]);
  expect(parsed).toEqual([
    { metric: { __name__: 'system_kernel_info', device_id: 'b1', value: '5.10.160' }, values: [1], timestamps: [NOW] },
  ]);
});

test('prints what a collector could read, and says what it could not', async () => {
  const unreadable = new AgentError('/mnt hangs', { code: 'KERNEL_FILE_UNREADABLE' });
  const partly = collector('filesystem', () =>
    Promise.reject(new PartialResultError([unreadable], [reading('filesystem.size_bytes', 5)])),
  );
  const { parsed, failures } = await runOnce([partly]);
  expect([parsed.length, failures]).toEqual([1, ['filesystem: /mnt hangs']]);
});

describe('a collector that compares two reads', () => {
  test('is read twice, a second apart, and the second read counts', async () => {
    const at: number[] = [];
    const rates = collector(
      'cpu',
      async ({ monotonicMs }) => {
        at.push(monotonicMs);
        return at.length === 1 ? [] : [reading('cpu.rate', at.length)];
      },
      true,
    );
    const { parsed } = await runOnce([rates]);
    expect(at).toEqual([0, 1_000]);
    expect(parsed).toEqual([
      { metric: { __name__: 'cpu_rate', device_id: 'b1' }, values: [2], timestamps: [NOW + 1_000] },
    ]);
  });

  test('makes the others wait, so that all lines have one time; they are read once', async () => {
    let reads = 0;
    const { parsed } = await runOnce([
      collector('memory', async () => {
        reads += 1;
        return [reading('memory.used', 1)];
      }),
      collector('cpu', async () => [reading('cpu.rate', 2)], true),
    ]);
    expect(reads).toBe(1);
    expect(parsed).toMatchObject([{ timestamps: [NOW + 1_000] }, { timestamps: [NOW + 1_000] }]);
  });

  test('is not waited for where there is none', async () => {
    const { clock } = await runOnce([collector('memory', async () => [])]);
    expect(clock.sleeps).toEqual([]);
  });
});

describe('failures', () => {
  test('name the collector; the others are printed', async () => {
    const { parsed, failures } = await runOnce([
      collector('cpu', async () => {
        throw new AgentError('cannot parse /proc/stat: no line "cpu" for all cores', { code: 'KERNEL_FILE_MALFORMED' });
      }),
      collector('memory', async () => [reading('memory.used', 1)]),
    ]);
    expect(failures).toEqual(['cpu: cannot parse /proc/stat: no line "cpu" for all cores']);
    expect(parsed).toHaveLength(1);
  });

  test('of a first read do not matter where the second one works', async () => {
    let reads = 0;
    const flaky = collector(
      'cpu',
      async (): Promise<Reading[]> => {
        reads += 1;
        if (reads === 1) throw new Error('not yet');
        return [];
      },
      true,
    );
    expect((await runOnce([flaky])).failures).toEqual([]);
  });

  test('include series beyond the cap, which are not printed', async () => {
    const many = collector('network', async () =>
      ['eth0', 'eth1', 'eth2'].map((name) => reading('network.x', 1, { interface: name })),
    );
    const { parsed, failures } = await runOnce([many], {}, { perCollector: 2, total: 5 });
    expect(parsed.map((line) => (line as { metric: { __name__: string } }).metric.__name__)).toEqual([
      'network_x',
      'network_x',
      'collector_series_dropped_total',
    ]);
    expect(failures).toEqual([
      'network.x: 2 series of this collector are stored already, increase THUGSHELLS_COLLECTOR_MAX_SERIES to store more',
    ]);
  });

  test('include readings that are refused, by name', async () => {
    const { parsed, failures } = await runOnce([
      collector('cpu', async () => [reading('cpu.bad', NaN), reading('cpu.good', 1)]),
    ]);
    expect(failures).toEqual(['cpu.bad: value NaN is not finite']);
    expect(parsed).toHaveLength(1);
  });

  test('are not a source that this kernel does not have', async () => {
    const absent = collector('pressure', async () => {
      throw new AgentError('no', { code: 'KERNEL_FILE_ABSENT' });
    });
    expect(await runOnce([absent])).toMatchObject({ lines: '', failures: [] });
  });

  test('once: a read that does not end is named, and the others are printed', async () => {
    const clock = new FakeClock(NOW);
    const reads: string[] = [];
    const hangs = (name: string, comparesReads: boolean) =>
      collector(name, () => new Promise(() => reads.push(name)), comparesReads);
    const result = collectOnce(
      [hangs('disk', true), hangs('textfile', false), collector('memory', async () => [reading('memory.used', 1)])],
      {
        clock,
        deviceId: 'b1',
        remoteProtocol: 'victoriametrics',
        labels: {},
        seriesLimit: new SeriesLimit({ perCollector: 10, total: 10 }),
        maxReadMs: 30_000,
      },
    );
    await clock.advance(30_000);
    await clock.advance(1_000);
    await clock.advance(30_000);
    const { lines, failures } = await result;
    expect(failures).toEqual(['disk: no result within 30 s', 'textfile: no result within 30 s']);
    expect(lines).toContain('"memory_used"');
    // A second read would take a second thread.
    expect(reads).toEqual(['disk', 'textfile']);
    expect(clock.sleeping).toBe(0);
  });
});
