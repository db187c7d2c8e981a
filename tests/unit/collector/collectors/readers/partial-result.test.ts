import { expect, test } from '@jest/globals';
import { AgentError } from '@thugshells/shared/errors.ts';

import {
  PartialResultError,
  readEach,
  extractReadings,
  type SourceReader,
} from '../../../../../collector/src/collectors/readers/partial-result.ts';
import { reading } from '../../../../support/collector/collector-parts.ts';

const says =
  (name: string): SourceReader =>
  async () => [reading(name, 1)];
const fails =
  (code: string, message = code): SourceReader =>
  () =>
    Promise.reject(new AgentError(message, { code, hint: `hint of ${message}` }));
const absent = fails('KERNEL_FILE_ABSENT');

test('sources that are absent take none of the others along, unless all are', async () => {
  expect(await readEach([absent, says('a.b'), absent])).toEqual([reading('a.b', 1)]);
  await expect(readEach([absent, absent])).rejects.toMatchObject({ code: 'KERNEL_FILE_ABSENT' });
  expect(await readEach([])).toEqual([]);
});

test('readEach: names every source that failed, with the readings of the others and their own partial ones', async () => {
  const partly: SourceReader = () =>
    Promise.reject(
      new PartialResultError([new AgentError('half', { code: 'KERNEL_FILE_UNREADABLE' })], [reading('c.d', 2)]),
    );
  const error = await readEach([says('a.b'), fails('KERNEL_FILE_MALFORMED', 'one'), absent, partly, says('e.f')]).catch(
    (thrown: unknown) => thrown,
  );
  expect(error).toMatchObject({ code: 'KERNEL_FILE_MALFORMED', message: 'one; half', hint: 'hint of one' });
  expect(extractReadings(error)).toEqual([reading('a.b', 1), reading('c.d', 2), reading('e.f', 1)]);
});

test('an error that nobody foresaw is passed on as it is', async () => {
  await expect(readEach([says('a.b'), () => Promise.reject(new TypeError('x'))])).rejects.toBeInstanceOf(TypeError);
});

test('sources are read one after the other', async () => {
  let open = 0;
  const slow: SourceReader = async () => {
    expect((open += 1)).toBe(1);
    await Promise.resolve();
    open -= 1;
    return [];
  };
  await readEach([slow, slow, slow]);
});
