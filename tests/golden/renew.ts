/**
 * npm run golden: renews the golden output of the collectors and shows what changed, a line for each series.
 *
 *   npm run golden                writes tests/golden/*.jsonl
 *   npm run golden -- --check     shows what would change, and ends with 1 if anything would
 *
 * A device of which a collector fails is named, its file left as it is, and the exit code is 1.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import process from 'node:process';
import { parseArgs } from 'node:util';

import { collectGolden, compareGolden, findGolden } from '../support/collector/golden.ts';
import { RECORDED_DEVICES, type RecordedDevice } from '../support/collector/text-kernel.ts';

const USAGE = 'usage: npm run golden -- [--check]';

function readArguments(): { readonly isCheck: boolean } {
  try {
    const options = { check: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } as const;
    const { values } = parseArgs({ options });
    if (values.help !== true) return { isCheck: values.check === true };
    console.log(USAGE);
    return process.exit(0);
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return process.exit(2);
  }
}

/** Returns whether the device's file is as it should be now. */
async function renew(device: RecordedDevice, isCheck: boolean): Promise<boolean> {
  const { lines, failures } = await collectGolden(device);
  for (const failure of failures) console.log(`${device}: cannot renew the golden file: ${failure}`);
  if (failures.length > 0) return false;
  const path = findGolden(device);
  const before = existsSync(path) ? readFileSync(path, 'utf8') : '';
  const changes = compareGolden(before, lines);
  console.log(`${device}: ${before === lines ? 'unchanged' : `${changes.length} series changed`}`);
  for (const change of changes) console.log(`  ${change}`);
  if (!isCheck && before !== lines) writeFileSync(path, lines);
  return !isCheck || before === lines;
}

const { isCheck } = readArguments();
let isRenewed = true;
for (const device of RECORDED_DEVICES) isRenewed = (await renew(device, isCheck)) && isRenewed;
process.exitCode = isRenewed ? 0 : 1;
