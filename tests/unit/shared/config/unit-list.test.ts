import { expect, test } from '@jest/globals';
import { unitList } from '@thugshells/shared/config/unit-list.ts';

test('unit list: names of units, once each; one without a type is a service', () => {
  expect(unitList.parse(' encoder  ssh.service\ncamera@1.service encoder.slice encoder.service ')).toEqual([
    'encoder.service',
    'ssh.service',
    'camera@1.service',
    'encoder.slice',
  ]);
  expect(unitList.parse('')).toEqual([]);
  expect(unitList.parse('dev-disk\\x2dby.mount 10.0.service')).toEqual(['dev-disk\\x2dby.mount', '10.0.service']);
});

test.each([
  ['../etc/passwd', 'word 1 is no name of a unit'],
  ['ssh.service,cron.service', 'word 1 is no name of a unit'],
  ['camera@.service', 'names the template camera@.service; name an instance, or the slice of all of them'],
  ['backup.timer', 'names backup.timer, which has no processes'],
  ['-.slice', 'names -.slice, which is the whole device'],
  [`${'x'.repeat(300)}`, 'word 1 is no name of a unit'],
])('unit list: refuses %s, and says why', (text, problem) => {
  expect([unitList.parse(text), unitList.problem?.(text)]).toEqual([undefined, problem]);
});

test('unit list: refuses more than 100 units', () => {
  const names = (count: number) => Array.from({ length: count }, (_, index) => `a${index}`).join(' ');
  expect([unitList.parse(names(100))?.length, unitList.parse(names(101))]).toEqual([100, undefined]);
});
