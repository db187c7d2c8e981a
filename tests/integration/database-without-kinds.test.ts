import { afterEach, expect, test } from '@jest/globals';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { readFileSchemaVersion } from '@thugshells/shared/database/schema-version.ts';

import { AgentPair } from '../support/agent-pair.ts';
import { runToEnd } from '../support/agent-process.ts';
import { versionOne } from '../support/old-databases.ts';
import { RemoteWriteReceiver } from '../support/remote-write-receiver.ts';
import { readBooks } from '../support/stored-rows.ts';
import { thrownBy } from '../support/thrown.ts';
import { until } from '../support/until.ts';

const toRelease: (() => unknown)[] = [];
afterEach(async () => {
  for (const release of toRelease.splice(0).reverse()) await release();
});

/** Makes a database of version 8, which keeps no kind of a metric: a table that is in the way makes migration 9 fail. */
function prepareVersionEight(path: string): void {
  const database = versionOne(path);
  const insert = database.prepare(
    'INSERT INTO metrics (timestamp_ms, metric_name, metric_value, device_id) VALUES (?, ?, ?, ?)',
  );
  const startMs = Date.now() - 60_000;
  for (let second = 0; second < 30; second++)
    for (const name of ['load.average_1m', 'pump.litres'])
      insert.run(startMs + second * 1_000, name, second, 'board-1');
  database.exec('CREATE TABLE metric_families (in_the_way)');
  thrownBy(() => migrate(database));
  database.exec('DROP TABLE metric_families');
  database.close();
  expect(readFileSchemaVersion(path)).toBe(8);
}

test('remote write: an old database without kinds is sent without metadata, and with it once its metrics are collected again', async () => {
  const receiver = await RemoteWriteReceiver.start(() => ({ status: 204, written: 'all' }));
  toRelease.push(() => receiver.stop());
  const pair = new AgentPair({ REMOTE_URL: `${receiver.url}/`, REMOTE_PROTOCOL: 'remote-write', COLLECTORS: 'load' });
  toRelease.push(() => pair.remove());
  prepareVersionEight(pair.database);
  expect((await runToEnd('collector', pair.environment, ['migrate'])).code).toBe(0);
  const uploader = pair.start('uploader');
  await until('the old samples are delivered', () => readBooks(pair.database).delivered === 60);
  await uploader.stop();
  const { writes } = receiver;
  expect(writes.flatMap(({ series }) => series).flatMap(({ samples }) => samples)).toHaveLength(60);
  expect(new Set(writes.flatMap(({ series }) => series).flatMap(({ starts }) => starts))).toEqual(new Set([0]));
  expect(writes.flatMap(({ metadata }) => metadata)).toEqual([]);

  pair.start('collector');
  await until('the metrics are collected', () => readBooks(pair.database).collected > 60);
  pair.start('uploader');
  const described = (): unknown[] => receiver.writes.flatMap(({ metadata }) => metadata);
  await until('metadata has arrived', () => described().length > 0);
  expect(described()).toContainEqual(['load_average_1m', 2, expect.stringContaining('over one minute'), '']);
  expect(JSON.stringify(described())).not.toContain('pump');
}, 90_000);
