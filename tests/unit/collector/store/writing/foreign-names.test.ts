import { describe, expect, test } from '@jest/globals';
import type { Labels, Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';

import { OWN_NAMES } from '../../../../../collector/src/store/writing/agent-names.ts';
import { Admission } from '../../../../../collector/src/store/writing/admission.ts';
import { NOW, reading } from '../../../../support/collector/collector-parts.ts';

/** What becomes of series that others named. */

function foreign(name: string, labels: Labels = {}, value = 1): Reading {
  return { series: declareForeignSeries(name, 'gauge'), labels, value };
}

/** Names of the samples that are admitted, and why the others are not. */
function admit(
  readings: readonly Reading[],
  admission = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol: 'victoriametrics' }),
) {
  const { samples, refusals, valueless } = admission.admit(readings, NOW);
  return { names: samples.map(({ name }) => name), refusals, valueless };
}

describe('foreign names: names of the agent', () => {
  test('foreign names: refuses a name of the agent, dotted or as exported, with each of its suffixes', () => {
    const names = [
      'cpu_usage_percent',
      'cpu.usage_percent',
      'up',
      'scrape_duration_seconds',
      'storage_wal_size_bytes',
      'system_kernel_info',
      'collector_collection_duration_seconds_bucket',
    ];
    const { names: admitted, refusals } = admit(names.map((name) => foreign(name)));
    expect(admitted).toEqual([]);
    expect(refusals).toEqual(
      names.map((name) => `${name}: ${name.replaceAll('.', '_')} is a name of the agent's own series`),
    );
  });

  test('foreign names: the agent’s series keeps its name, also if a database holds a foreign one', () => {
    const admission = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol: 'victoriametrics' });
    admission.addStoredNames([{ name: 'cpu_usage_percent', valueType: 0 }]);
    expect(admit([reading('cpu.usage_percent', 1)], admission).names).toEqual(['cpu.usage_percent']);
    expect(admit([foreign('cpu_usage_percent')], admission).refusals).toHaveLength(1);
  });

  test.each(OWN_NAMES)('foreign names: refuses %s', (name) => {
    expect(admit([foreign(name)]).names).toEqual([]);
  });
});

describe('foreign names: other names', () => {
  test('foreign names: keeps another name as it is, and refuses it if a stored one has its exported name', () => {
    expect(
      admit([foreign('node:load1'), foreign('node_load1'), foreign('a.b'), foreign('a_b'), foreign('Größe 10€')]),
    ).toEqual({
      names: ['node:load1', 'node_load1', 'a.b', 'Größe 10€'],
      refusals: ['a_b: has the same exported name as a.b'],
      valueless: [],
    });
  });

  test('foreign names: accepts a name twice only with different labels', () => {
    expect(admit([foreign('a', { b: '1' }), foreign('a', { b: '2' }), foreign('a', { b: '1' })])).toMatchObject({
      names: ['a', 'a'],
      refusals: ['a: twice in one scrape'],
    });
  });
});

describe('foreign names: labels', () => {
  test.each([
    [{ device_id: 'other' }, undefined],
    [{ device_id: 'other', exported_device_id: 'more' }, 'label name "exported_device_id" is reserved'],
    [{ __name__: 'other' }, 'label name "__name__" is reserved'],
    [
      { a: 'x'.repeat(4_097) },
      'label "a" has 4097 bytes, VictoriaMetrics drops more than 4096: shorten it at the source',
    ],
    [
      { ['a'.repeat(257)]: 'x' },
      `label name "${'a'.repeat(80)}…" has 257 bytes, VictoriaMetrics drops more than 256: shorten it at the source`,
    ],
    [
      Object.fromEntries(Array.from({ length: 29 }, (_, index) => [`l${index}`, 'x'])),
      '31 labels with __name__ and device_id, VictoriaMetrics keeps 30: remove labels at the source',
    ],
  ])('set %j', (labels: Labels, refusal) => {
    expect(admit([foreign('a', labels)]).refusals).toEqual(refusal === undefined ? [] : [`a: ${refusal}`]);
  });
});

test('foreign names: refuses two series of a scrape that would be sent as one: an empty label is none, device_id is sent as exported_device_id', () => {
  const readings = [
    foreign('a', { l: '' }),
    foreign('a'),
    foreign('b', { device_id: 'x' }),
    foreign('b', { exported_device_id: 'x' }),
    foreign('b', { exported_device_id: 'y' }),
  ];
  expect(admit(readings)).toEqual({
    names: ['a', 'b', 'b'],
    refusals: ['a: twice in one scrape', 'b: twice in one scrape'],
    valueless: [],
  });
});

test('foreign names: limits of VictoriaMetrics do not apply to remote write', () => {
  const admission = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol: 'remote-write' });
  const readings = [
    foreign('a', { ['a'.repeat(257)]: 'x' }),
    foreign('b', { b: 'x'.repeat(4_097) }),
    foreign('c'.repeat(5_000)),
  ];
  expect(admit(readings, admission)).toEqual({
    names: readings.map(({ series }) => series.name),
    refusals: [],
    valueless: [],
  });
});

test('foreign names: shortens a long name in the reason of a refusal', () => {
  expect(admit([foreign('c'.repeat(5_000))]).refusals).toEqual([
    `${'c'.repeat(80)}…: the name has 5000 bytes, VictoriaMetrics drops more than 4096: shorten it at the source`,
  ]);
});

test('foreign names: refuses NaN, which is no failure of its source, and infinity only of a series of the agent’s own', () => {
  const readings = [
    foreign('a', {}, NaN),
    foreign('b', {}, -Infinity),
    foreign('c', { __name__: 'x' }, NaN),
    reading('cpu.usage_percent', NaN),
    reading('load.average_1m', Infinity),
  ];
  expect(admit(readings)).toEqual({
    names: ['b'],
    refusals: ['cpu.usage_percent: value NaN is not finite', 'load.average_1m: value Infinity is not finite'],
    valueless: ['a: value NaN is not finite', 'c: value NaN is not finite'],
  });
});
