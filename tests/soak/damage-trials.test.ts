import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';

import { afterAll, beforeAll, expect, test } from '@jest/globals';

import { runDamageTrial, summarizeTrials, type TrialResult } from '../support/damage/damage-trial.ts';
import { makeTrialDatabases, type TrialDatabase } from '../support/damage/trial-database.ts';

/**
 * Random damage to databases with pending, delivered and rejected samples: what stands on a page survives, nothing is
 * invented, and no loss is missing in the books. Each run makes the same trials; DAMAGE_SEED draws others, DAMAGE_TRIAL repeats one,
 * DAMAGE_PAGE_BYTES=1024 damages databases as earlier versions made them.
 */
const TRIALS = Number(process.env['DAMAGE_TRIALS'] ?? 500);
const FIRST_SEED = Number(process.env['DAMAGE_SEED'] ?? 1_000_000);

let folder: string;
let databases: readonly TrialDatabase[];

beforeAll(async () => {
  folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'thugshells-trials-'));
  databases = await makeTrialDatabases(folder);
}, 120_000);

afterAll(() => rmSync(folder, { recursive: true, force: true }));

test(`recovery: keeps what can be read, invents nothing and books every loss in ${TRIALS} random trials`, async () => {
  console.log(`DAMAGE_SEED=${FIRST_SEED}`);
  const only = process.env['DAMAGE_TRIAL'];
  const seeds = only === undefined ? Array.from({ length: TRIALS }, (_, index) => FIRST_SEED + index) : [Number(only)];
  const results: TrialResult[] = [];
  for (const seed of seeds) results.push(await runDamageTrial(seed, databases, folder));
  console.log(summarizeTrials(results));
  const failed = results.filter(({ wrong }) => wrong.length > 0);
  expect(
    failed.map(({ seed, kind, what, wrong }) => `DAMAGE_TRIAL=${seed} ${kind}: ${what}: ${wrong.join('; ')}`),
  ).toEqual([]);
}, 600_000);
