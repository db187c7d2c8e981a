import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { STALE_MARKER, toStoredValue, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import { dispatch, type GivenOptions } from '@thugshells/shared/process/command-line.ts';

import { UPLOADER_TABLE } from '../../../../uploader/src/commands/command-table.ts';
import { quarantineCommand } from '../../../../uploader/src/commands/quarantine.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;

beforeEach(() => {
  stored = new StoredSamples();
  stored.scrapes(3, [stored.series('disk.used', { tags: { mount: '/' } })]);
  const settled = new SettledRanges(stored.database);
  settled.reject([
    { id: 1, status: 400, reason: 'too old' },
    { id: 3, reason: 'not finite' },
  ]);
});
afterEach(() => stored.remove());

/** Runs the command as the command line does; returns what it prints. */
function quarantine(...args: string[]): string {
  const { quarantine: described } = UPLOADER_TABLE.commands;
  const handlers = { quarantine: (given: GivenOptions) => quarantineCommand(stored.path, given) };
  return dispatch({ ...UPLOADER_TABLE, commands: { quarantine: described } }, handlers, ['quarantine', ...args]).text!;
}

test('quarantine command: prints each sample with its reason, newest first, and how to requeue them', () => {
  const time = (scrape: number): string => new Date(START_MS + scrape * 1000).toISOString();
  expect(quarantine().split('\n')).toEqual([
    '2 samples in quarantine',
    `#3 ${time(2)} disk.used{mount="/",device_id="board-1"} 2: not finite`,
    `#1 ${time(0)} disk.used{mount="/",device_id="board-1"} 0: HTTP 400, too old`,
    'to requeue them, run: thugshells-uploader requeue --quarantined',
    '',
  ]);
});

test('quarantine command: prints at most --limit samples and counts the rest', () => {
  expect(quarantine('--limit', '1')).toContain('… and 1 older samples; use --limit N to print more\n');
  expect(quarantine('--limit', '1')).not.toContain('#1 ');
  expect(thrownBy(() => quarantine('--limit', '0'))).toMatchObject({
    code: 'BAD_USAGE',
    message: 'invalid value for --limit: 0: must be a whole number of at least 1',
  });
});

test('quarantine command: prints a sample whose row is gone by its id', () => {
  stored.drop([3], 'cap');
  expect(quarantine()).toContain('#3 no longer stored: not finite\n');
});

test('quarantine command: prints JSON with --json', () => {
  expect(JSON.parse(quarantine('--json'))).toMatchObject({
    total: 2,
    samples: [
      { id: 3, timestampMs: START_MS + 2_000, name: 'disk.used', value: 2, status: null, reason: 'not finite' },
      { id: 1, tags: { mount: '/' }, deviceId: 'board-1', status: 400 },
    ],
  });
});

test('quarantine command: prints names, values and reasons of others escaped, each sample on one line', () => {
  stored.scrapes(1, [stored.series('evil\x1b[2J', { tags: { 'a\x9b2J': 'b\u202e' } })]);
  new SettledRanges(stored.database).reject([{ id: 4, status: 400, reason: 'no\n#9 forged' }]);
  const [, line] = quarantine().split('\n');
  expect(line).toMatch(
    /^#4 \S+ evil\\u001b\[2J\{a\\u009b2J="b\\u202e",device_id="board-1"\} \S+: HTTP 400, no #9 forged$/,
  );
});

test('quarantine command: names NaN, the stale marker and −0, in JSON too', () => {
  const series = stored.series('limit');
  const values: readonly SampleValue[] = [NaN, STALE_MARKER, -0];
  const ids = values.map((value, index) => stored.add(series, START_MS + 9_000 + index, toStoredValue(value)));
  new SettledRanges(stored.database).reject(ids.map((id) => ({ id, reason: 'no value' })));
  expect(quarantine('--limit', '3').match(/\} \S+: no value/g)).toEqual([
    '} -0: no value',
    '} StaleNaN: no value',
    '} NaN: no value',
  ]);
  const { samples } = JSON.parse(quarantine('--json')) as { samples: { value: unknown }[] };
  expect(samples.slice(0, 3).map(({ value }) => value)).toEqual(['-0', 'StaleNaN', 'NaN']);
});
