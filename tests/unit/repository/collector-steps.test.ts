import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { KERNEL_COLLECTOR_NAMES } from '@thugshells/shared/metrics/collector-names.ts';

import { gatherFacts } from '../../support/collector/collector-facts.ts';
import {
  COLLECTOR_STEPS,
  findForgottenSteps,
  parseStepTitles,
  SERIES_OF_NO_DEVICE,
  type CollectorFacts,
} from '../../support/collector/collector-steps.ts';
import { CorruptibleDevice } from '../../support/collector/corrupt-kernel-files.ts';

/**
 * The steps of docs/adding-a-collector.md: taken for every collector that there is, and each of them missed
 * if it is forgotten.
 */

const folder = mkdtempSync(join(tmpdir(), 'collector-steps-'));
const device = new CorruptibleDevice(folder);
afterAll(() => rmSync(folder, { recursive: true }));

const recipe = readFileSync(join(import.meta.dirname, '../../../docs/adding-a-collector.md'), 'utf8');

test('docs/adding-a-collector.md lists the steps that are checked, in the same order', () => {
  expect(parseStepTitles(recipe)).toEqual(COLLECTOR_STEPS.map(({ title }) => title));
});

test.each(KERNEL_COLLECTOR_NAMES)('no step to add a collector was forgotten for %s', async (name) => {
  expect(findForgottenSteps(await gatherFacts(name, device))).toEqual([]);
});

test('every file in collector/src/collectors is a collector with a name, the table or the interface', async () => {
  const { files, names } = await gatherFacts('cpu', device);
  const sources = files.filter((file) => file.startsWith('collector/')).map((file) => basename(file, '.ts'));
  expect(sources.filter((name) => !names.includes(name)).sort()).toEqual(['collector', 'table']);
});

test('series that no recorded device has are declared, so that the list of them does not outlive them', async () => {
  const facts = await Promise.all(KERNEL_COLLECTOR_NAMES.map((name) => gatherFacts(name, device)));
  const declared = facts.flatMap(({ declaredSeries }) => declaredSeries);
  expect(Object.keys(SERIES_OF_NO_DEVICE).filter((name) => !declared.includes(name))).toEqual([]);
  expect(new Set(declared).size).toBe(declared.length);
});

describe('a step to add a collector that is forgotten is named:', () => {
  const SERIES = 'pressure.stalled_seconds_total';
  let facts: CollectorFacts;
  beforeAll(async () => {
    facts = await gatherFacts('pressure', device);
  });
  const without = (list: keyof CollectorFacts, ...removed: string[]) => ({
    [list]: (facts[list] as readonly string[]).filter((one) => !removed.includes(one)),
  });

  const forgotten: [step: string, forget: () => Partial<CollectorFacts>, gap: string][] = [
    ['Name', () => without('names', 'pressure'), 'shared/src/metrics/collector-names.ts does not name pressure'],
    [
      'Collector',
      () => without('files', 'collector/src/collectors/pressure.ts'),
      'there is no file collector/src/collectors/pressure.ts',
    ],
    [
      'Table',
      () => without('tableNames', 'pressure'),
      'COLLECTORS in collector/src/collectors/table.ts has no entry pressure',
    ],
    [
      'Table',
      () => ({ deviceSeries: [...facts.deviceSeries, 'pressure.new'] }),
      'the entry pressure in collector/src/collectors/table.ts does not list the series pressure.new',
    ],
    [
      'Table',
      () => without('ownNames', SERIES),
      `OWN_NAMES in collector/src/store/writing/agent-names.ts lacks ${SERIES}`,
    ],
    [
      'Unit test',
      () => without('files', 'tests/unit/collector/collectors/pressure.test.ts'),
      'there is no file tests/unit/collector/collectors/pressure.test.ts',
    ],
    [
      'Recording',
      () => without('recordedFiles', 'proc/pressure/io'),
      'tests/fixtures/record.sh does not copy /proc/pressure/io, which pressure reads',
    ],
    [
      'Fixtures',
      () => ({ deviceSeries: [] }),
      `no file of MORE_HARDWARE in tests/support/collector/corrupt-kernel-files.ts, or of x86-board, makes pressure return ${SERIES}`,
    ],
    [
      'Golden files',
      () => without('goldenSeries', 'pressure_stalled_seconds_total'),
      'no file in tests/golden has a series of pressure: no device in tests/fixtures has its files, or npm run golden did not run',
    ],
    [
      'Simulated kernel',
      () => ({ simulatedSeries: [] }),
      'collector/src/kernel/simulated-texts.ts has no file that pressure reads',
    ],
    [
      'Document',
      () => ({ documentedSeries: [] }),
      `docs/collectors.md does not list ${SERIES} among the series of pressure`,
    ],
    [
      'Document',
      () => ({ documentedSeries: [SERIES, 'pressure.old'] }),
      'docs/collectors.md lists pressure.old, which pressure does not declare',
    ],
    [
      'Variables',
      () => ({ references: { ...facts.references, 'docs/configuration.md': 'no table' } }),
      'docs/configuration.md lacks THUGSHELLS_PRESSURE_INTERVAL',
    ],
  ];

  test.each(forgotten)('%s', (step, forget, gap) => {
    const number = COLLECTOR_STEPS.findIndex(({ title }) => title === step) + 1;
    expect(findForgottenSteps({ ...facts, ...forget() })).toEqual([
      `docs/adding-a-collector.md, step ${number} (${step}): ${gap}`,
    ]);
  });

  test('each step of the list is forgotten above at least once', () => {
    expect(new Set(forgotten.map(([step]) => step))).toEqual(new Set(COLLECTOR_STEPS.map(({ title }) => title)));
  });
});
