import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { afterAll, beforeAll, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { Board } from '../support/model/board.ts';
import { endSpare } from '../support/model/program-process.ts';
import { setup, step, type Setup, type Step } from '../support/model/steps.ts';

/**
 * Random lives of a device, with the real modules of both programs in processes that are killed for real, against what
 * design.md promises: as many as fit into MODEL_SECONDS, 15 by default and 60 in npm run test:soak, or MODEL_RUNS of them. MODEL_SEED and MODEL_PATH repeat what
 * failed, MODEL_SHRINK looks for the shortest life that fails.
 */
const {
  MODEL_RUNS,
  MODEL_SECONDS = '15',
  MODEL_SEED = String(Date.now() % 2 ** 31),
  MODEL_PATH,
  MODEL_SHRINK,
} = process.env;
const LIMIT_MS = Number(MODEL_SECONDS) * 1000;

/** A life takes a second or two; one that waits for ever is to fail with its trace. */
const LIFE_LIMIT_MS = 300_000;

let folder: string;

beforeAll(() => {
  // In memory where there is such a place: a kill loses nothing that a process wrote, wherever that was.
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'promises-'));
});

afterAll(() => {
  endSpare();
  rmSync(folder, { recursive: true, force: true });
});

async function live({ setup, steps }: { readonly setup: Setup; readonly steps: readonly Step[] }): Promise<void> {
  const board = new Board(folder, setup);
  const ended = new AbortController();
  let done = 0;
  const run = async (): Promise<void> => {
    await board.begin();
    for (const each of steps) {
      await board.perform(each);
      done += 1;
    }
    await board.drain();
  };
  const limit = async (): Promise<never> => {
    await delay(LIFE_LIMIT_MS, undefined, { signal: ended.signal });
    throw new Error(`it has waited for ${LIFE_LIMIT_MS} ms`);
  };
  try {
    await Promise.race([run(), limit()]);
  } catch (error) {
    const where = `after ${done} of ${steps.length} steps, in ${JSON.stringify(steps[done] ?? 'the end')}`;
    throw new Error(`${where}: ${String(error)}\n${board.trace.join('\n')}`, { cause: error });
  } finally {
    ended.abort();
    await board.end();
  }
}

test('model: through kills, outages, requeues, evictions and clock steps every sample is counted once and arrives once, at its corrected time', async () => {
  const endsAt = MODEL_RUNS === undefined ? Date.now() + LIMIT_MS : Infinity;
  let lived = 0;
  const property = fc.asyncProperty(
    fc.record({ setup, steps: fc.array(step, { minLength: 1, maxLength: 45, size: 'max' }) }),
    async (life) => {
      if (Date.now() > endsAt) return;
      lived += 1;
      await live(life);
    },
  );
  const path = MODEL_PATH === undefined ? {} : { path: MODEL_PATH };
  console.log(`lives of a board with seed ${MODEL_SEED}`);
  await fc.assert(property, {
    ...path,
    numRuns: Number(MODEL_RUNS ?? 1_000),
    seed: Number(MODEL_SEED),
    endOnFailure: MODEL_SHRINK === undefined,
  });
  console.log(`${lived} lived`);
  expect(lived).toBeGreaterThan(0);
}, 3_600_000);
