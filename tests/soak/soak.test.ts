import { expect, test } from '@jest/globals';

import { tableOf } from './report.ts';
import { Soak } from './soak.ts';

/** Set by npm run soak; npm run test:soak runs two minutes with faults. */
const minutes = Number(process.env['SOAK_MINUTES'] ?? 2);
const withFaults = process.env['SOAK_FAULTS'] !== 'false';
const seed = Number(process.env['SOAK_SEED'] ?? Date.now() % 1_000_000);
const logs = process.env['SOAK_LOGS'];
const isTold = process.env['SOAK_MINUTES'] !== undefined;

const MINUTE_MS = 60_000;
const DRAIN_MS = 20 * MINUTE_MS;

test(
  `a soak of ${minutes} minutes ends with every stored sample in the receiver once, and the books balanced (A-54)`,
  async () => {
    const told: string[] = [];
    const tell = (line: string): void => void (isTold ? process.stderr.write(`${line}\n`) : told.push(line));
    const result = await new Soak({ durationMs: minutes * MINUTE_MS, withFaults, seed, logs, tell }).run();
    if (isTold) process.stderr.write(`\nseed ${seed}\n${tableOf(result)}\n`);
    const story = [`seed ${seed}`, ...told].join('\n');
    expect({ found: result.differences.slice(0, 20), story: result.differences.length === 0 ? '' : story }).toEqual({
      found: [],
      story: '',
    });
    const { pending, rejected, dropped } = result;
    expect({ pending, rejected, dropped }).toEqual({ pending: 0, rejected: 0, dropped: 0 });
    expect(result.collected).toBeGreaterThan(minutes * 30 * USUAL_SERIES);
  },
  minutes * MINUTE_MS + DRAIN_MS,
);

/** Of a machine with few devices. */
const USUAL_SERIES = 50;
