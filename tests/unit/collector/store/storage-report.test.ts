import { expect, test } from '@jest/globals';

import { openDatabase } from '@thugshells/shared/database/open.ts';

import { storeOn } from '../../../support/collector/collector-parts.ts';
import { useTemporaryFolder } from '../../../support/temporary-folder.ts';

const MINUTE_MS = 60_000;
const folder = useTemporaryFolder();

test('storage report: has the bytes written so far, and those of a day after half an hour, without start-up', async () => {
  let bytes = 5_000;
  const { store, clock } = storeOn(folder.path('metrics.db'), { readWrittenBytes: () => bytes });
  const database = openDatabase(folder.path('metrics.db'), { readonly: true });
  const written = () => database.prepare('SELECT written_bytes, written_per_day FROM storage_state').raw().get();
  const stop = new AbortController();
  const running = store.run(stop.signal);
  bytes += 2_000_000;
  const pass = async (minutes: number) => {
    for (let minute = 0; minute < minutes; minute++) {
      await clock.advance(MINUTE_MS);
      bytes += 10;
    }
    return written();
  };
  const early = await pass(29);
  const [sum, perDay] = (await pass(6)) as [number, number];
  stop.abort();
  await running;
  store.close();
  database.close();
  expect(early).toEqual([2_000_000 + 28 * 10, null]);
  expect(sum).toBe(2_000_000 + 34 * 10);
  expect(perDay).toBeCloseTo(10 * 1_440, 0);
});
