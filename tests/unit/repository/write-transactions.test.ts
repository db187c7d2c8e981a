import { beforeEach, describe, expect, test } from '@jest/globals';

import { isBusy, openDatabase, type Database } from '@thugshells/shared/database/open.ts';

import { readInstant } from '../../../collector/src/store/clock/clock-epochs.ts';
import { Acknowledgements } from '../../../uploader/src/queue/acknowledgements.ts';
import { SettledRanges } from '../../../uploader/src/queue/settled-ranges.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { migratedDatabase, NOW, reading, startOn, createStatus } from '../../support/collector/collector-parts.ts';
import { useTemporaryFolder } from '../../support/temporary-folder.ts';

/**
 * A transaction that reads before it writes fails where the other process has written in between, and no waiting helps
 * (SQLITE_BUSY_SNAPSHOT). So each begins as a writer, and whoever comes in between has to wait.
 */
const folder = useTemporaryFolder();
let database: Database;
let other: Database;
let attempts: string[];

beforeEach(() => {
  const path = folder.path('metrics.db');
  database = folder.keep(migratedDatabase(path));
  other = folder.keep(openDatabase(path));
  other.pragma('busy_timeout = 0');
  attempts = [];
});

/** Writes by the other connection, as the other process may at any moment. */
function writeInBetween(): void {
  if (!database.inTransaction) return;
  try {
    other.exec('UPDATE storage_state SET waiting = waiting + 1');
    attempts.push('wrote');
  } catch (error) {
    attempts.push(isBusy(error) ? 'has to wait' : String(error));
  }
}

describe('nobody writes between what is read and what is written', () => {
  test('by a scrape', () => {
    const { admission, clock, writer } = startOn(database);
    const at = readInstant(clock);
    const { samples } = admission.admit([reading('a.x', 1)], at.wallMs);
    const scrape = {
      at,
      status: createStatus(),
      get samples() {
        writeInBetween();
        return samples;
      },
    };
    writer.commit([scrape]);
    expect(attempts).toEqual(['has to wait']);
    expect(database.prepare('SELECT collected FROM collector_state').pluck().get()).toBe(1);
  });

  test('by an acknowledgement', () => {
    class Clock extends FakeClock {
      override now(): number {
        writeInBetween();
        return super.now();
      }
    }
    const acknowledgements = new Acknowledgements(database, new SettledRanges(database), {
      clock: new Clock(NOW),
      replayWindowMs: 0,
    });
    acknowledgements.recordResponse({
      connection: 1,
      isClosing: false,
      accepted: { batchId: 'batch-a', chunkIndex: 0, ranges: [[1, 1]], count: 1 },
    });
    acknowledgements.commit();
    expect(attempts).toEqual(['has to wait']);
  });
});
