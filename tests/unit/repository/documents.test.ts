import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { collectorVariables } from '../../../collector/src/config.ts';
import { environmentFile, withVariableTable } from '../../../deploy/scripts/reference.mjs';
import { uploaderVariables } from '../../../uploader/src/config.ts';
import { checkAcceptance } from '../../support/acceptance.mjs';
import { withVersions } from '../../support/report-versions.mjs';

function document(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
}

const schemas = { collector: collectorVariables({}, '', 'linux'), uploader: uploaderVariables({}, '') };

describe('what npm run docs writes is up to date:', () => {
  test('the table of variables in the README', () => {
    expect(withVariableTable(document('README.md'), schemas)).toBe(document('README.md'));
  });

  test('the environment file of the units', () => {
    expect(document('deploy/systemd/thugshells.env')).toBe(environmentFile(schemas));
  });
});

test('the table of tested versions gets one column of a run, and keeps the other', () => {
  const before = document('docs/remote-write.md');
  const both = withVersions(withVersions(before, 'debian', { prometheus: '2.42.0' }), 'today', {
    prometheus: '3.99.0',
  });
  expect(both).toContain('\n| prometheus | 3.99.0 | 2.42.0 |\n<!-- end');
  expect(withVersions(both, 'today', { prometheus: '3.99.0' })).toBe(both);
  expect(() => withVersions('no table', 'today', {})).toThrow(/lacks the lines/);
});

test.each(['collector', 'uploader'])(
  'the unit of the %s starts its program, shares the state folder, and does not restart on 78',
  (program) => {
    const unit = document(`deploy/systemd/thugshells-${program}.service`);
    expect(unit).toMatch(new RegExp(`^ExecStart=.*/${program}/dist/main\\.js$`, 'm'));
    expect(unit).toMatch(/^StateDirectory=thugshells$/m);
    expect(unit).toMatch(/^RestartPreventExitStatus=78$/m);
  },
);

test.each(['collector', 'uploader'])(
  'the unit of the %s is given 1.8 or better by systemd-analyze security',
  (program) => {
    const unit = fileURLToPath(new URL(`../../../deploy/systemd/thugshells-${program}.service`, import.meta.url));
    const { stdout, status } = spawnSync(
      'systemd-analyze',
      ['security', '--no-pager', '--offline=true', '--threshold=18', unit],
      { encoding: 'utf8' },
    );
    expect(stdout).toContain('Overall exposure level');
    expect(status).toBe(0);
  },
);

describe('the acceptance list', () => {
  const tests = [{ fullName: 'sums add up', title: 'add up', status: 'passed' }];

  test('is content with a test that passed', () => {
    expect(checkAcceptance('- sums: `test: sums add up`', tests)).toEqual([]);
  });

  test('names a test that does not exist or did not pass', () => {
    expect(checkAcceptance('`test: sums differ`', tests)).toHaveLength(1);
    expect(checkAcceptance('`test: sums add up`', [{ ...tests[0]!, status: 'failed' }])).toHaveLength(1);
  });

  test('must name something', () => {
    expect(checkAcceptance('all is well', tests)).toHaveLength(1);
  });
});
