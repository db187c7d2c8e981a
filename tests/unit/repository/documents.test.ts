import { globSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { describe, expect, test } from '@jest/globals';

import { COLLECTORS } from '../../../collector/src/collectors/table.ts';
import * as agentSeries from '../../../shared/src/metrics/agent-series.ts';
import { collectorVariables } from '../../../shared/src/config/collector-config.ts';
import {
  environmentFile,
  metricTables,
  responseTable,
  variableTable,
  withTable,
} from '../../../deploy/scripts/reference.ts';
import { uploaderVariables } from '../../../shared/src/config/uploader-config.ts';
import { FAILURES } from '../../../uploader/src/transport/failure-reasons.ts';
import { RECOGNIZED_RESPONSES } from '../../../uploader/src/transport/recognized-responses.ts';
import { checkAcceptance, checkAcceptanceIds } from '../../support/acceptance.ts';
import { withVersions } from '../../support/report-versions.ts';

function document(path: string): string {
  return readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), 'utf8');
}

const schemas = { collector: collectorVariables({}, '', 'linux'), uploader: uploaderVariables({}, '') };

describe('what npm run docs writes is up to date:', () => {
  test.each([
    ['docs/configuration.md', 'variables', variableTable(schemas)],
    ['docs/troubleshooting.md', 'responses', responseTable([...RECOGNIZED_RESPONSES, ...FAILURES])],
    ['docs/metrics.md', 'metrics', metricTables(COLLECTORS, agentSeries)],
  ] as const)('%s, the table of %s', (file, name, table) => {
    expect(withTable(document(file), name, table)).toBe(document(file));
  });

  test('the environment file of the units (A-55)', () => {
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

describe('the acceptance list', () => {
  const [file, other] = ['tests/unit/sums.test.ts', 'tests/unit/products.test.ts'];
  const list = `- sums: \`${file} A-1\``;
  const passed = { file, fullName: 'sums add up (A-1)', status: 'passed' };

  test('accepts a test that passed, whatever its title is', () => {
    expect(
      checkAcceptance(list, [passed, { ...passed, fullName: 'sums of 10 add up (A-10)', status: 'failed' }]),
    ).toEqual([]);
  });

  test('names an entry whose test did not run in its file', () => {
    expect(checkAcceptance(list, [])).toEqual([`A-1 did not run: no test of ${file} ends with (A-1)`]);
    expect(checkAcceptance(list, [{ ...passed, file: other }])).toHaveLength(1);
  });

  test('names each case that did not pass', () => {
    const failed = { ...passed, fullName: 'sums of 3 add up (A-1)', status: 'failed' };
    expect(checkAcceptance(list, [passed, failed])).toEqual([`A-1 did not pass: ${file}: sums of 3 add up (A-1)`]);
  });

  test('is compared with the tests of the named folders alone', () => {
    const mixed = '`tests/unit/a.test.ts A-1` and `tests/soak/b.test.ts A-2`';
    const ran = { file: 'tests/unit/a.test.ts', fullName: 'adds (A-1)', status: 'passed' };
    expect(checkAcceptance(mixed, [ran], ['tests/unit/'])).toEqual([]);
    expect(checkAcceptance(mixed, [ran], ['tests/soak/'])).toEqual([expect.stringContaining('A-2 did not run')]);
  });

  test('has to name a test', () => {
    expect(checkAcceptance('all is well', [passed])).toHaveLength(1);
  });

  const source = (path: string, ...titles: string[]) => ({
    file: path,
    text: titles.map((t) => `test('${t}', run)`).join(),
  });

  test('names an id that two titles bear', () => {
    const sources = [source(file, 'adds up (A-1)'), source(other, 'multiplies (A-1)')];
    expect(checkAcceptanceIds(list, sources)).toEqual([
      expect.stringContaining(`A-1 is used twice, the second time in ${other}`),
    ]);
  });

  test('names an id that only a title or only the list has', () => {
    expect(checkAcceptanceIds(list, [source(file, 'adds up (A-1)', 'carries (A-2)')])).toEqual([
      expect.stringContaining(`A-2 of ${file} is not in the list`),
    ]);
    expect(checkAcceptanceIds(list, [source(other, 'adds up (A-1)')])).toEqual([
      expect.stringContaining(`A-1 is not in ${file}`),
    ]);
  });

  test('agrees with the ids in the titles of this repository', () => {
    const root = fileURLToPath(new URL('../../..', import.meta.url));
    const sources = globSync('tests/{unit,integration,soak}/**/*.test.ts', { cwd: root })
      .filter((path) => path !== 'tests/unit/repository/documents.test.ts')
      .map((path) => ({ file: path, text: document(path) }));
    const own = document('tests/unit/repository/documents.test.ts').split("describe('the acceptance list'")[0]!;
    sources.push({ file: 'tests/unit/repository/documents.test.ts', text: own });
    expect(checkAcceptanceIds(document('tests/acceptance.md'), sources)).toEqual([]);
  });
});
