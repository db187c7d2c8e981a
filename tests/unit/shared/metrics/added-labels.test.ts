import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { AddedLabels, canonicalTags, type Labels } from '../../../../shared/src/metrics/sample.ts';

test.each<[string, Labels, Labels]>([
  ['is added', { core: '0' }, { core: '0', site: 'berlin', simulated: 'true' }],
  ['makes way for one of the same name', { site: 'roof' }, { site: 'roof', simulated: 'true' }],
  ['takes the place of an empty one, which is none', { site: '' }, { site: 'berlin', simulated: 'true' }],
  ['leaves another empty one', { a: '' }, { a: '', site: 'berlin', simulated: 'true' }],
  ['does not touch simulated', { simulated: 'false' }, { site: 'berlin', simulated: 'true' }],
])('added labels: a label of the site %s', (_, labels, tags) => {
  const added = new AddedLabels({ site: { site: 'berlin' }, always: { simulated: 'true' } });
  expect(added.addTo({ labels })).toEqual({ tags, canonical: canonicalTags(tags) });
});

test('added labels: labels that are always there win over those of the site', () => {
  const added = new AddedLabels({ site: { simulated: 'no' }, always: { simulated: 'true' } });
  expect(added.addTo({ labels: {} }).tags).toEqual({ simulated: 'true' });
});

test('added labels: without any, a reading keeps its labels and their text as they are', () => {
  const reading = { labels: { b: '1', a: '2' }, canonical: 'as computed before' };
  expect(new AddedLabels().addTo(reading)).toEqual({ tags: reading.labels, canonical: reading.canonical });
  expect(new AddedLabels().addTo(reading).tags).toBe(reading.labels);
});

test('added labels: a set is merged and sorted once, however often it is read', () => {
  const added = new AddedLabels({ site: { site: 'berlin' } });
  const first = added.addTo({ labels: { core: '0' } });
  expect(added.addTo({ labels: { core: '0' } })).toBe(first);
  expect(added.addTo({ labels: {}, canonical: '{"core":"0"}' })).toBe(first);
  expect(added.addTo({ labels: { core: '1' } })).not.toBe(first);
});

test('added labels: sets beyond what is remembered are right too', () => {
  const added = new AddedLabels({ site: { site: 'berlin' } });
  const first = added.addTo({ labels: { id: '0' } });
  for (let id = 1; id <= 10_000; id++) added.addTo({ labels: { id: String(id) } });
  const again = added.addTo({ labels: { id: '0' } });
  expect(again).toEqual(first);
  expect(again).not.toBe(first);
});

test('added labels: the text of any set is that of its tags', () => {
  const labels = fc.dictionary(fc.constantFrom('a', 'b', 'site', '__proto__', 'é'), fc.constantFrom('', '1', '"', ','));
  fc.assert(
    fc.property(labels, labels, labels, (site, always, own) => {
      const { tags, canonical } = new AddedLabels({ site, always }).addTo({ labels: own });
      expect(canonical).toBe(canonicalTags(tags));
      const found = (set: Labels, name: string): string => (Object.hasOwn(set, name) ? set[name]! : '');
      for (const name of Object.keys({ ...site, ...always, ...own })) {
        const expected = Object.hasOwn(always, name) ? found(always, name) : found(own, name) || found(site, name);
        expect(found(tags, name)).toBe(expected);
      }
    }),
  );
});
