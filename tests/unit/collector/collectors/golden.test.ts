import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from '@jest/globals';
import { KERNEL_COLLECTOR_NAMES } from '@thugshells/shared/metrics/collector-names.ts';

import { COLLECTORS } from '../../../../collector/src/collectors/table.ts';
import { parseUptime } from '../../../../collector/src/collectors/load.ts';
import { loadCollectorConfig } from '../../../../collector/src/config.ts';
import type { KernelSource } from '../../../../collector/src/kernel/kernel-files.ts';
import { collectOnce } from '../../../../collector/src/commands/once.ts';
import { SeriesLimit } from '../../../../collector/src/scheduling/series-limit.ts';
import {
  RECORDED_DEVICES,
  readRecorded,
  RecordedKernel,
  type RecordedDevice,
} from '../../../support/collector/text-kernel.ts';

/**
 * What every collector says of a recorded board with the defaults, as `once` prints it: a change of a collector shows
 * here as a change of lines. `UPDATE_GOLDEN=1 npm test tests/unit/collector/golden` writes the file anew.
 */

const NOW = 1_700_000_000_000;

/** The recording of one moment, and once `pass` was called, that of the other. */
function recordedKernel(board: RecordedDevice): { kernel: KernelSource; pass: () => void } {
  let moment = new RecordedKernel('', board);
  const kernel: KernelSource = {
    proc: (path) => moment.proc(path),
    sys: (path) => moment.sys(path),
    sysEntries: (path) => moment.sysEntries(path),
    statfs: (path, kind) => moment.statfs(path, kind),
  };
  return { kernel, pass: () => (moment = new RecordedKernel('-later', board)) };
}

/** By the monotonic clock of the board. */
function betweenMomentsMs(board: RecordedDevice): number {
  const uptimeS = (moment: string) => parseUptime(readRecorded(`proc${moment}/uptime`, board));
  return Math.round((uptimeS('-later') - uptimeS('')) * 1000);
}

test.each(RECORDED_DEVICES)(
  'all collectors return of the recorded %s the samples of its golden file',
  async (board) => {
    const { kernel, pass } = recordedKernel(board);
    const { values: options } = loadCollectorConfig({});
    let passedMs = 0;
    const clock = {
      now: () => NOW,
      sinceBoot: () => 0,
      monotonic: () => passedMs,
      sleep: async () => {
        passedMs = betweenMomentsMs(board);
        pass();
      },
    };
    const collectors = KERNEL_COLLECTOR_NAMES.map((name) =>
      COLLECTORS[name].create({ kernel, options, build: '0.0.0' }),
    );
    const { lines, failures } = await collectOnce(collectors, {
      clock,
      deviceId: board,
      remoteProtocol: 'victoriametrics',
      labels: {},
      seriesLimit: new SeriesLimit({ perCollector: 1000, total: 5000 }),
    });
    expect(failures).toEqual([]);

    const sorted = `${lines.trimEnd().split('\n').sort().join('\n')}\n`;
    const golden = join(import.meta.dirname, `../../../golden/${board}.jsonl`);
    if (process.env['UPDATE_GOLDEN'] === '1') {
      mkdirSync(dirname(golden), { recursive: true });
      writeFileSync(golden, sorted);
    }
    expect(sorted).toBe(readFileSync(golden, 'utf8'));
  },
);
