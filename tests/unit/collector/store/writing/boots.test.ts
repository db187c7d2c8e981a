import { beforeEach, expect, test } from '@jest/globals';

import type { Database } from '@thugshells/shared/database/open.ts';

import { AgentStateReader } from '../../../../../collector/src/store/status/agent-state-reader.ts';
import { openSession } from '../../../../../collector/src/store/writing/sessions.ts';
import { migratedDatabase, NOW } from '../../../../support/collector/collector-parts.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const folder = useTemporaryFolder();
let database: Database;
let started = 0;

beforeEach(() => {
  database = folder.keep(migratedDatabase(folder.path('metrics.db')));
});

/** Starts a process in a boot; returns what ends it. */
function start(bootId: string | undefined, id = `session-${(started += 1)}`): () => void {
  const close = openSession(database, {
    id,
    nowMs: NOW,
    metadata: { version: '1', bootId, kernel: '6.1', host: 'board' },
  });
  return () => close(NOW + 1_000);
}

function boots() {
  return new AgentStateReader(database, folder.path('metrics.db')).read().boots;
}

test('boots: the first boot is one, and how the one before ended is not known', () => {
  start('a');
  expect(boots()).toEqual({ counted: 1, unclean: 0, wasLastClean: null });
});

test('boots: a restart of the collector is no boot, killed or not', () => {
  start('a')();
  start('a');
  start('a');
  expect(boots()).toEqual({ counted: 1, unclean: 0, wasLastClean: null });
});

test('boots: a boot after the end of the collector follows a clean shutdown, one without it an unclean one', () => {
  start('a')();
  start('b');
  expect(boots()).toEqual({ counted: 2, unclean: 0, wasLastClean: true });
  start('c');
  expect(boots()).toEqual({ counted: 3, unclean: 1, wasLastClean: false });
  // Killed and started again in the same boot: what was true stays true.
  start('c')();
  expect(boots()).toEqual({ counted: 3, unclean: 1, wasLastClean: false });
  start('d');
  expect(boots()).toEqual({ counted: 4, unclean: 1, wasLastClean: true });
});

test('boots: a session that goes on in a database that replaces another is its own, not one that was left', () => {
  start('a', 'same');
  database.exec(`UPDATE boots SET boot_id = 'before', counted = 1`);
  start('a', 'same');
  expect(boots()).toEqual({ counted: 2, unclean: 0, wasLastClean: true });
});

test('boots: without an id of the boot nothing is counted', () => {
  start(undefined);
  expect(boots()).toBeUndefined();
});
