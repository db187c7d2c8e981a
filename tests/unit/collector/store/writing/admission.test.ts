import { expect, test } from '@jest/globals';

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
