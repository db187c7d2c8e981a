import { describe, expect, test } from '@jest/globals';

import { collectorVariables, loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';
import { sharedVariables, VARIABLE_NAMES } from '../../../../shared/src/config/variables.ts';
import { loadUploaderConfig, uploaderVariables } from '../../../../shared/src/config/uploader-config.ts';

const collector = Object.values(collectorVariables({}, 'host', 'linux'));
const uploader = Object.values(uploaderVariables({}, 'host'));

describe('the names that both programs accept', () => {
  test('are those of the two schemas', () => {
    const read = new Set([...collector, ...uploader].map(({ env }) => env));
    expect([...VARIABLE_NAMES].sort()).toEqual([...read].sort());
  });

  test('stand there once each', () => {
    expect(new Set(VARIABLE_NAMES).size).toBe(VARIABLE_NAMES.length);
  });

  test('of the collector are none that the uploader complains of, and the other way round', () => {
    const all = Object.fromEntries(
      [...collector, ...uploader].map(({ env, default: value }) => [`THUGSHELLS_${env}`, value]),
    );
    expect(loadUploaderConfig(all).unknown).toEqual([]);
    expect(loadCollectorConfig(all).unknown).toEqual([]);
  });
});

test('a variable that both read has one default and one description', () => {
  for (const variable of collector) {
    const twin = uploader.find(({ env }) => env === variable.env);
    if (twin !== undefined)
      expect({ doc: twin.doc, default: twin.default }).toEqual({ doc: variable.doc, default: variable.default });
  }
});

test.each([...collector, ...uploader].map((variable) => [variable.env, variable] as const))(
  'the default of %s can be read by its own format',
  (_env, variable) => {
    expect(variable.format.parse(variable.default)).toBeDefined();
  },
);

describe('the database', () => {
  test.each([
    [{}, 'var/metrics.db'],
    [{ STATE_DIRECTORY: '/var/lib/thugshells' }, '/var/lib/thugshells/metrics.db'],
    [{ STATE_DIRECTORY: '/var/lib/thugshells:/var/lib/other' }, '/var/lib/thugshells/metrics.db'],
  ])('lies, with the environment %p, at %p', (environment, path) => {
    expect(sharedVariables(environment, 'host').dbPath.default).toBe(path);
  });
});
