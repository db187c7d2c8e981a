import { beforeEach, expect, test } from '@jest/globals';

import { migrate } from '@thugshells/shared/database/migrate.ts';
import { openDatabase, type Database } from '@thugshells/shared/database/open.ts';
import { AddedLabels, toSample, type Sample } from '@thugshells/shared/metrics/sample.ts';
import { declareForeignSeries, declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { FamilyTable } from '../../../../../collector/src/store/writing/family-table.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';
import { useTemporaryFolder } from '../../../../support/temporary-folder.ts';

const HOUR_MS = 3_600_000;
const folder = useTemporaryFolder();
let database: Database;
let clock: FakeClock;
let table: FamilyTable;

beforeEach(() => {
  database = folder.keep(openDatabase(folder.path('metrics.db'), { create: true }));
  migrate(database);
  clock = new FakeClock(1_700_000_000_000);
  table = new FamilyTable(database, clock);
});

function sampleOf(series: SeriesDeclaration, value: number | string = 1): Sample {
  return toSample({ series, labels: {}, value }, { deviceId: 'board-1', labels: new AddedLabels() });
}

function foreign(type: 'counter' | 'gauge', help = 'Litres.'): Sample {
  return sampleOf(declareForeignSeries('pump.litres', type, { name: 'pump.litres', type, help, unit: '' }));
}

function stored(): unknown[] {
  return database.prepare('SELECT name, type, help, unit FROM metric_families ORDER BY name').raw().all();
}

/** How many rows this connection has written so far. */
function writes(): number {
  return database.prepare<[], number>('SELECT total_changes()').pluck().get()!;
}

test('metric families: a declared series, a text, a histogram’s series and a foreign metric under their exported names', () => {
  const declared = { unit: 'celsius', help: 'Of a sensor.' } as const;
  table.record(sampleOf(declareSeries({ ...declared, name: 'temperature.sensor_celsius', kind: 'gauge' })));
  table.record(sampleOf(declareSeries({ ...declared, name: 'network.state', kind: 'gauge', unit: 'none' }), 'up'));
  table.record(
    sampleOf(declareSeries({ ...declared, name: 'scrape.duration_bucket', kind: 'histogram', unit: 'seconds' })),
  );
  table.record(foreign('counter'));
  table.record(sampleOf(declareForeignSeries('silent', 'untyped')));
  expect(stored()).toEqual([
    ['network_state_info', 'gauge', 'Of a sensor.', ''],
    ['pump_litres', 'counter', 'Litres.', ''],
    ['scrape_duration', 'histogram', 'Of a sensor.', 'seconds'],
    ['temperature_sensor_celsius', 'gauge', 'Of a sensor.', 'celsius'],
  ]);
});

test('metric families: what is stored is not written again, by a later process neither', () => {
  table.record(foreign('counter'));
  const before = writes();
  table.record(foreign('counter'));
  new FamilyTable(database, clock).record(foreign('counter'));
  expect(writes()).toBe(before);
});

test('metric families: two sources that disagree cost one write an hour', async () => {
  table.record(foreign('counter'));
  for (let scrape = 0; scrape < 10; scrape++)
    for (const type of ['counter', 'gauge'] as const) table.record(foreign(type));
  expect(stored()).toEqual([['pump_litres', 'counter', 'Litres.', '']]);
  const waiting = foreign('gauge', 'Litres per minute.');
  table.record(waiting);
  await clock.advance(HOUR_MS);
  table.record(waiting);
  expect(stored()).toEqual([['pump_litres', 'gauge', 'Litres per minute.', '']]);
});

test('metric families: what a rolled back transaction has written is written again', () => {
  const sample = foreign('counter');
  const failing = database.transaction(() => {
    table.record(sample);
    throw new Error('disk full');
  });
  expect(() => failing()).toThrow('disk full');
  table.forget();
  table.record(sample);
  expect(stored()).toHaveLength(1);
});

test('metric families: names that change each time fill nothing', () => {
  database.transaction(() => {
    for (let index = 0; index < 10_500; index++) {
      const family = { name: `n${index}`, type: 'gauge', help: '', unit: '' } as const;
      table.record(sampleOf(declareForeignSeries(family.name, 'gauge', family)));
    }
  })();
  expect(stored()).toHaveLength(10_000);
});
