import { afterEach, beforeEach, expect, test } from '@jest/globals';

import {
  preparePendingRowsVersion,
  type PendingRowsVersion,
} from '../../../../uploader/src/queue/pending-rows-version.ts';
import { StoredSamples } from '../../../support/uploader/stored-samples.ts';

let stored: StoredSamples;
let readVersion: () => PendingRowsVersion;

beforeEach(() => {
  stored = new StoredSamples();
  readVersion = preparePendingRowsVersion(stored.database);
});
afterEach(() => stored.remove());

test('pending-rows version: new rows and deleted delivered rows leave it as it is', () => {
  stored.rows(4);
  const version = readVersion();
  stored.rows(2);
  stored.drop([1], 'retention');
  expect(readVersion()).toBe(version);
});

test('pending-rows version: changes when a pending row is dropped', () => {
  stored.rows(4);
  const version = readVersion();
  stored.drop([2], 'cap');
  expect(readVersion()).not.toBe(version);
});

test('pending-rows version: changes when rows are dropped and as many are recovered from a corrupt database', () => {
  stored.rows(4);
  const version = readVersion();
  stored.drop([1, 2], 'cap');
  stored.database.exec('UPDATE collector_state SET dropped = dropped - 2');
  stored.database.exec(`INSERT INTO salvage VALUES (1, 'metrics.db.corrupt', 'pending', 2, '[]', 0, 2)`);
  expect(readVersion()).not.toBe(version);
});
