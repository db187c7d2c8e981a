import { afterEach, beforeEach, expect, test } from '@jest/globals';

import { dispatch } from '@thugshells/shared/process/command-line.ts';

import { UPLOADER_TABLE } from '../../../../uploader/src/commands/command-table.ts';
import { requeueCommand } from '../../../../uploader/src/commands/requeue.ts';
import { UNTIMED_REASON } from '../../../../uploader/src/queue/untimed-rows.ts';
import { SettledRanges } from '../../../../uploader/src/queue/settled-ranges.ts';
import { thrownBy } from '../../../support/thrown.ts';
import { START_MS, StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let settled: SettledRanges;

beforeEach(() => {
  stored = new StoredSamples();
  settled = new SettledRanges(stored.database);
});
afterEach(() => stored.remove());

/** Runs the command as the command line does; returns what it prints. */
function requeue(...args: string[]): string | undefined {
  const { requeue: described } = UPLOADER_TABLE.commands;
  return dispatch(
    { ...UPLOADER_TABLE, commands: { requeue: described } },
    { requeue: (given) => requeueCommand(stored.path, given, START_MS + 60_000) },
    ['requeue', ...args],
  ).text;
}

test('requeue command: requeues the delivered samples of a time range and prints how many', () => {
  stored.rows(10);
  settled.deliver([[1, 8]]);
  const [from, to] = [new Date(START_MS + 2_000).toISOString(), new Date(START_MS + 5_000).toISOString()];
  expect(requeue('--from', from, '--to', to)).toBe(`requeued 4 delivered samples from ${from} to ${to}\n`);
  expect(stored.idsOf('pending')).toEqual([3, 4, 5, 6, 9, 10]);
});

test('requeue command: requeues everything in quarantine without a time range', () => {
  stored.rows(4);
  settled.deliver([[1, 2]]);
  settled.reject([{ id: 3, reason: 'bad' }]);
  expect(requeue('--quarantined')).toBe('requeued 1 quarantined samples\n');
  expect(stored.idsOf('pending')).toEqual([3, 4]);
});

test.each([
  ['2h', 7_200_000],
  ['-2h', -7_200_000],
])('requeue command: --offset %s corrects the times of a boot whose clock was never right', (offset, offsetMs) => {
  stored.beginEpoch(0, false);
  stored.rows(2);
  stored.database.exec('UPDATE epochs SET lost = 1');
  settled.reject([1, 2].map((id) => ({ id, reason: UNTIMED_REASON })));
  expect(requeue('--quarantined', '--offset', offset)).toBe('requeued 2 quarantined samples\n');
  expect(stored.number('SELECT MIN(timestamp_ms) FROM metrics')).toBe(START_MS + offsetMs);
});

test('requeue command: refuses a range whose ends are exchanged, and explains ages', () => {
  expect(thrownBy(() => requeue('--from', '1h', '--to', '2h'))).toMatchObject({
    ...{ code: 'BAD_USAGE', message: 'cannot requeue: --from is later than --to' },
    hint: 'exchange them; an age is counted back from now: 2h is earlier than 1h',
  });
});

test.each([
  [['--from', '2h'], 'cannot requeue delivered samples: --from and --to are both required'],
  [['--from', '2h', '--to', 'now', '--offset', '1h'], 'cannot apply --offset without --quarantined'],
  [['--quarantined', '--offset', 'much'], 'invalid value for --offset: much: must be'],
])('requeue command: refuses %p', (args, message) => {
  expect(thrownBy(() => requeue(...args))).toMatchObject({
    code: 'BAD_USAGE',
    message: expect.stringContaining(message),
  });
});
