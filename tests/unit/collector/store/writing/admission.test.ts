import { describe, expect, test } from '@jest/globals';

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
