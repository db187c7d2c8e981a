import { afterEach, expect, test } from '@jest/globals';

import { takeInstanceLock } from '../../../../shared/src/database/instance-lock.ts';
import { toExitCode } from '../../../../shared/src/errors.ts';
import { endLockTaker, endLockTakers, startLockTaker } from '../../../support/lock-taker.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';
import { thrownBy } from '../../../support/thrown.ts';

const folder = useTemporaryFolder();
afterEach(endLockTakers);

function other(role: 'collector' | 'uploader' = 'collector') {
  return startLockTaker(folder.path('metrics.db'), role);
}

function take(role: 'collector' | 'uploader' = 'collector') {
  const lock = takeInstanceLock(folder.path('metrics.db'), role);
  return folder.keep({ close: () => lock.release() });
}

test('instance lock: a second process gets an error with a hint', async () => {
  const { said } = await other();
  expect(said).toBe('taken');
  const error = thrownBy(() => take());
  expect(error).toMatchObject({
    code: 'ANOTHER_INSTANCE',
    message: `cannot start: another collector uses ${folder.path('metrics.db')}`,
    hint: expect.stringContaining(`${folder.path('metrics.db')}.collector-lock`),
  });
  expect(toExitCode(error)).toBe(75);
});

test('instance lock: this process keeps a second one out', async () => {
  take();
  expect((await other()).said).toBe('ANOTHER_INSTANCE');
});

test('instance lock: the two roles do not exclude each other', async () => {
  take('collector');
  expect((await other('uploader')).said).toBe('taken');
});

test('instance lock: ends with a killed process', async () => {
  const { child, said } = await other();
  expect(said).toBe('taken');
  thrownBy(() => take());
  await endLockTaker(child);
  take();
});

test('instance lock: can be taken again after its release', async () => {
  take().close();
  take().close();
  expect((await other()).said).toBe('taken');
});

test('instance lock: creates a missing folder', () => {
  const lock = takeInstanceLock(folder.path('state/deeper/metrics.db'), 'collector');
  lock.release();
});
