import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect, test } from '@jest/globals';

import { COLLECTORS, collectorNames } from '../../../collector/src/collectors/index.js';
import { loadCollectorConfig } from '../../../collector/src/config.js';
import type { KernelSource } from '../../../collector/src/kernel-files.js';
import { once } from '../../../collector/src/once.js';
import { RecordedKernel } from './text-kernel.js';

/**
 * What every collector says of a recorded board with the defaults, as `once` prints it: a change of a collector shows
 * here as a change of lines. `UPDATE_GOLDEN=1 npm test tests/unit/collector/golden` writes the file anew.
 */

const BOARDS = [{ board: 'x86-vm', betweenMs: 7_280 }];
const NOW = 1_700_000_000_000;

/** The recording of one moment, and once `pass` was called, that of the other. */
function recordedKernel(): { kernel: KernelSource; pass: () => void } {
  let moment = new RecordedKernel();
  const kernel: KernelSource = {
    proc: (path) => moment.proc(path),
    sys: (path) => moment.sys(path),
    sysEntries: (path) => moment.sysEntries(path),
    statfs: (path, kind) => moment.statfs(path, kind),
  };
  return { kernel, pass: () => (moment = new RecordedKernel('-later')) };
}

test.each(BOARDS)('all collectors say of the recorded $board what stands in its golden file', async ({ board, betweenMs }) => {
  const { kernel, pass } = recordedKernel();
  const { values: options } = loadCollectorConfig({});
  let passedMs = 0;
  const clock = { now: () => NOW, monotonic: () => passedMs, sleep: async () => { passedMs = betweenMs; pass(); } };
  const collectors = collectorNames.map((name) => COLLECTORS[name]({ kernel, options }));
  const { lines, failures } = await once(collectors, { clock, deviceId: board, labels: {} });
  expect(failures).toEqual([]);

  const sorted = `${lines.trimEnd().split('\n').sort().join('\n')}\n`;
  const golden = join(import.meta.dirname, `../../golden/${board}.jsonl`);
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(golden), { recursive: true });
    writeFileSync(golden, sorted);
  }
  expect(sorted).toBe(readFileSync(golden, 'utf8'));
});
