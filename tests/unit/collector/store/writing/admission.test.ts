import { describe, expect, test } from '@jest/globals';

import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER, type SampleValue } from '@thugshells/shared/metrics/sample-value.ts';
import { declareForeignSeries } from '@thugshells/shared/metrics/series.ts';
import type { RemoteProtocol } from '@thugshells/shared/metrics/series-limits.ts';

import { Admission } from '../../../../../collector/src/store/writing/admission.ts';
import { NOW, reading } from '../../../../support/collector/collector-parts.ts';

test('admission: refuses every reading of a scrape whose time is out of range', () => {
  const admission = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol: 'victoriametrics' });
  const readings = [reading('a.x', 1), reading('b.x', 2)];
  expect(admission.admit(readings, 5_000)).toEqual({
    samples: [],
    refusals: ['a.x: timestamp 5000 is out of range', 'b.x: timestamp 5000 is out of range'],
    valueless: [],
  });
  expect(admission.admit(readings, NOW).samples.map(({ name }) => name)).toEqual(['a.x', 'b.x']);
});

describe('admission: labels of the site', () => {
  const create = (siteLabels: Record<string, string>): Admission =>
    new Admission({ deviceId: 'b1', labels: { simulated: 'true' }, siteLabels, remoteProtocol: 'victoriametrics' });

  test('are on every sample that has no such label of its own', () => {
    const { samples } = create({ site: 'berlin', rack: '3' }).admit(
      [reading('a.x', 1), reading('a.y', 'text', { site: 'roof' })],
      NOW,
    );
    expect(samples.map(({ canonical }) => canonical)).toEqual([
      '{"rack":"3","simulated":"true","site":"berlin"}',
      '{"rack":"3","simulated":"true","site":"roof"}',
    ]);
  });

  test('that make two readings of a scrape one series refuse the second', () => {
    const readings = [reading('a.x', 1), reading('a.x', 2, { site: 'berlin' }), reading('a.x', 3, { site: 'roof' })];
    const { samples, refusals } = create({ site: 'berlin' }).admit(readings, NOW);
    expect(samples.map(({ value }) => value)).toEqual([1, 3]);
    expect(refusals).toEqual(['a.x: twice in one scrape']);
  });

  test('count among those that VictoriaMetrics keeps', () => {
    const labels = Object.fromEntries(Array.from({ length: 27 }, (_, index) => [`l${index}`, 'x']));
    const { refusals } = create({ site: 'berlin' }).admit([reading('a.x', 1, labels)], NOW);
    expect(refusals).toEqual([
      'a.x: 31 labels with __name__ and device_id, VictoriaMetrics keeps 30: remove labels at the source',
    ]);
  });
});

describe('admission: values without a number', () => {
  const foreign = (value: SampleValue, name: string): Reading => ({
    series: declareForeignSeries(name, 'gauge'),
    labels: {},
    value,
  });
  const values: readonly SampleValue[] = [NaN, STALE_MARKER, -0, Infinity, 1];
  const admit = (remoteProtocol: RemoteProtocol, readings: readonly Reading[]) => {
    const { samples, ...rest } = new Admission({ deviceId: 'b1', labels: {}, remoteProtocol }).admit(readings, NOW);
    return { values: samples.map(({ value }) => value), ...rest };
  };

  test('of other programs are kept for remote write', () => {
    const readings = values.map((value, index) => foreign(value, `a${index}`));
    expect(admit('remote-write', readings)).toEqual({ values, refusals: [], valueless: [] });
  });

  test('are for VictoriaMetrics refused by name, but the end of a series, which it does not have, and −0, which it makes a zero', () => {
    const readings = values.map((value, index) => foreign(value, `a${index}`));
    expect(admit('victoriametrics', readings)).toEqual({
      values: [0, Infinity, 1],
      refusals: [],
      valueless: ['a0: value NaN is not finite'],
    });
  });

  test.each(['remote-write', 'victoriametrics'] as const)(
    'of our own are a mistake, and −0 is zero: %s',
    (protocol) => {
      const readings = [NaN, Infinity, -0].map((value, index) => reading(`a.x${index}`, value));
      expect(admit(protocol, readings)).toEqual({
        values: [0],
        refusals: ['a.x0: value NaN is not finite', 'a.x1: value Infinity is not finite'],
        valueless: [],
      });
    },
  );

  test('of our own may be the end of a series', () => {
    const end: Reading = { ...reading('a.x', 0), value: STALE_MARKER };
    expect(admit('remote-write', [end]).values).toEqual([STALE_MARKER]);
    expect(admit('victoriametrics', [end])).toEqual({ values: [], refusals: [], valueless: [] });
  });
});
