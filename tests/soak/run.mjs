/**
 * npm run soak -- [--minutes 30] [--faults] [--seed N]
 *
 * Exit 1 where a sample is lost, twice or wrong in the receiver, or the books do not balance.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { prepare, root } from '../../deploy/scripts/prepare.mjs';

const USAGE = `usage: npm run soak -- [--minutes 30] [--faults] [--seed N]

  --minutes  how long both programs run before everything is let settle and compared
  --faults   a link that delays, cuts, throttles, eats answers and answers errors; kills of collector, uploader and
             receiver; a wall clock that is set wrong and right again
  --seed     repeats the faults of an earlier run, which printed it`;

function given() {
  try {
    const { values } = parseArgs({
      options: {
        minutes: { type: 'string', default: '30' },
        faults: { type: 'boolean', default: false },
        seed: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    if (!(Number(values.minutes) > 0))
      throw new Error(`--minutes is "${values.minutes}", which is no number of minutes`);
    if (values.seed !== undefined && !/^\d+$/.test(values.seed))
      throw new Error(`--seed is "${values.seed}", which is no whole number`);
    return values;
  } catch (error) {
    console.error(`${error.message}\n${USAGE}`);
    return process.exit(2);
  }
}

const { minutes, faults, seed = String(Date.now() % 1_000_000) } = given();
const logs = join(root, 'var', 'soak', seed);

await prepare();
console.log(
  `soaking for ${minutes} minutes ${faults ? `with faults, seed ${seed}` : 'without faults'}; the programs' logs will be in ${logs}`,
);
const { status } = spawnSync(
  process.execPath,
  [
    '--experimental-vm-modules',
    '--disable-warning=ExperimentalWarning',
    'node_modules/jest/bin/jest.js',
    '--config',
    'tests/soak/jest.config.js',
    'tests/soak/soak.test.ts',
  ],
  {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, SOAK_MINUTES: minutes, SOAK_FAULTS: String(faults), SOAK_SEED: seed, SOAK_LOGS: logs },
  },
);
process.exit(status ?? 1);
