import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';

import { expect, test } from '@jest/globals';

import { collectGolden, compareGolden, findGolden } from '../../../support/collector/golden.ts';
import { RECORDED_DEVICES } from '../../../support/collector/text-kernel.ts';

/** A change of a collector shows here as a change of lines; `npm run golden` renews the files and shows what changed. */

test.each(RECORDED_DEVICES)(
  'all collectors return of the recorded %s the samples of its golden file',
  async (device) => {
    const { lines, failures } = await collectGolden(device);
    expect(failures).toEqual([]);
    const golden = readFileSync(findGolden(device), 'utf8');
    expect(compareGolden(golden, lines)).toEqual([]);
    expect(lines).toBe(golden);
  },
);

test('golden output: each series that is gone, new or of another value is one line', () => {
  const line = (name: string, labels: object, value: number) =>
    `${JSON.stringify({ metric: { __name__: name, ...labels, device_id: 'a' }, values: [value], timestamps: [1] })}\n`;
  const kept = line('load_average_1m', {}, 0.5);
  const before = kept + line('cpu_temperature_celsius', { zone: 'soc' }, 45) + line('memory_used_bytes', {}, 1);
  const after = kept + line('cpu_temperature_celsius', { zone: 'gpu' }, 46) + line('memory_used_bytes', {}, 2);
  expect(compareGolden(before, after)).toEqual([
    '+ cpu_temperature_celsius{zone="gpu"} 46',
    '- cpu_temperature_celsius{zone="soc"} 45',
    '~ memory_used_bytes 1 → 2',
  ]);
  expect(compareGolden(after, after)).toEqual([]);
  expect(compareGolden('', kept)).toEqual(['+ load_average_1m 0.5']);
});

test('npm run golden -- --check: names each recorded device, and changes no file', () => {
  const command = join(import.meta.dirname, '../../../golden/renew.ts');
  const { status, stdout, stderr } = spawnSync(process.execPath, [command, '--check'], { encoding: 'utf8' });
  expect({ status, stdout, stderr }).toEqual({
    status: 0,
    stdout: RECORDED_DEVICES.map((device) => `${device}: unchanged\n`).join(''),
    stderr: '',
  });
});
