import { expect, test } from '@jest/globals';
import fc from 'fast-check';

import { createUniqueNames } from '../../../../../collector/src/collectors/readers/unique-names.ts';

const thing = (name: string, marks: readonly string[], directory: string) => ({ name, marks, directory });

test('unique names: a name that only one has stays, others get the first mark that tells them apart, and no more', () => {
  expect(
    createUniqueNames([
      thing('soc', ['', ''], 'zone0'),
      thing('nvme Composite', ['0000:03:00.0', 'temp1'], 'hwmon1'),
      thing('nvme Composite', ['0000:04:00.0', 'temp1'], 'hwmon0'),
      thing('dell_smm Ambient', ['dell_smm_hwmon', 'temp1'], 'hwmon2'),
      thing('dell_smm Ambient', ['dell_smm_hwmon', 'temp2'], 'hwmon2'),
    ]),
  ).toEqual([
    'soc',
    'nvme Composite (0000:03:00.0)',
    'nvme Composite (0000:04:00.0)',
    'dell_smm Ambient (temp1)',
    'dell_smm Ambient (temp2)',
  ]);
});

test('unique names: several marks are needed where one leaves two the same', () => {
  expect(
    createUniqueNames([
      thing('x', ['a', 'temp1'], 'hwmon0'),
      thing('x', ['a', 'temp2'], 'hwmon0'),
      thing('x', ['b', 'temp1'], 'hwmon1'),
    ]),
  ).toEqual(['x (a temp1)', 'x (a temp2)', 'x (b)']);
});

test('unique names: without a mark that stays all but the first get their directory', () => {
  expect(createUniqueNames([thing('acpitz', [''], 'zone2'), thing('acpitz', [''], 'zone10')])).toEqual([
    'acpitz',
    'acpitz (zone10)',
  ]);
  expect(createUniqueNames([])).toEqual([]);
});

test('unique names: are unique, and those with marks of their own do not depend on the order', () => {
  const things = fc.uniqueArray(
    fc.record({ name: fc.constantFrom('a', 'b'), place: fc.constantFrom('p', 'q', 'r'), input: fc.nat(3) }),
    { selector: ({ name, place, input }) => `${name} ${place} ${input}` },
  );
  fc.assert(
    fc.property(things, (some) => {
      const all = some.map(({ name, place, input }) => thing(name, [place, `temp${input}`], 'hwmon0'));
      const names = createUniqueNames(all);
      expect(new Set(names).size).toBe(all.length);
      expect(createUniqueNames(all.toReversed()).toReversed()).toEqual(names);
    }),
  );
});
