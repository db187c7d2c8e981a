import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';
import { formatEffectiveConfig } from '../../../../shared/src/config/check-config.ts';
import {
  PREFIX,
  type Environment,
  type LoadedConfig,
  type Variables,
} from '../../../../shared/src/config/load-config.ts';
import { AgentError, toExitCode } from '../../../../shared/src/errors.ts';
import { VARIABLE_NAMES } from '../../../../shared/src/config/variables.ts';
import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';

const PROGRAMS = [
  ['collector', loadCollectorConfig],
  ['uploader', loadUploaderConfig],
] as const;
const SECRET = 'hunter2';
const RATE = { THUGSHELLS_UPLOAD_MAX_RATE: '64KiB/s' };
/** More than a number can hold. */
const MANY_DIGITS = '9'.repeat(400);

const digits = fc.oneof(
  fc.nat(100_000).map(String),
  fc.constantFrom('-1', '1.5', '9'.repeat(30), MANY_DIGITS, '0x10', '1e3', '٣'),
);
const quantity = fc
  .tuple(digits, fc.constantFrom('', 'ms', 's', 'm', 'h', 'd', 'KiB', 'MiB', 'GiB', 'MiB/s', 'constructor', ' s'))
  .map((parts) => parts.join(''));
const words = fc.constantFrom(
  'true',
  'no',
  'json',
  'debug',
  'hold',
  'correct',
  'cpu memory',
  'cpu,gpu',
  '512',
  'sysfs',
  'linux',
  'veth.* lo',
  '(',
  'a)|(?:b',
  '/run/token',
  'board-1',
);
/** Without a scheme, only what has a name and a colon before it can be known for a password. */
const origin = fc.constantFrom(
  ...['http://', 'https://', 'ftp://', 'http//', ''].map((scheme) => `${scheme}admin:${SECRET}@`),
  ...['http://', 'https://', 'ftp://'].flatMap((scheme) => [scheme, `${scheme}${SECRET}@`, `${scheme}:${SECRET}@`]),
);
const address = fc
  .tuple(
    origin,
    fc.constantFrom('vm', '[::1]', '127.0.0.1:8428', 'vm:99999', 'ü.example'),
    fc.constantFrom('', '/api/v1/import', `/?token=${SECRET}`),
  )
  .map((parts) => parts.join(''));
const anyValue = fc.oneof(
  quantity,
  words,
  address,
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.constantFrom('', ' ', '\n'),
);
const anyName = fc.oneof(
  { arbitrary: fc.constantFrom(...VARIABLE_NAMES), weight: 9 },
  { arbitrary: fc.stringMatching(/^[A-Z_]{1,12}$/).filter((name) => !VARIABLE_NAMES.includes(name)), weight: 1 },
);
const environments = fc
  .dictionary(anyName, anyValue, { maxKeys: 4 })
  .map((given): Environment =>
    Object.fromEntries(Object.entries(given).map(([name, value]) => [PREFIX + name, value])),
  );

type Load = (environment: Environment) => LoadedConfig<Variables>;

/** The configuration, or what it was refused with. */
function loaded(load: Load, environment: Environment): LoadedConfig<Variables> | AgentError {
  try {
    return load(environment);
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return error;
  }
}

/** check-config's text, or why it fails. */
function described(config: LoadedConfig<Variables>): string {
  try {
    return formatEffectiveConfig(config, new Map());
  } catch (error) {
    return (error as AgentError).message;
  }
}

describe.each(PROGRAMS)('whatever the environment holds, the %s', (_, load: Load) => {
  test('starts with values of their kinds, or is refused with each variable at fault by name, and tells no secret', () => {
    const seen = { loaded: 0, refused: 0 };
    fc.assert(
      fc.property(environments, (environment) => {
        const config = loaded(load, environment);
        if (config instanceof AgentError) {
          seen.refused += 1;
          expect([config.code, toExitCode(config), config.hint]).toEqual(['BAD_CONFIGURATION', 78, expect.any(String)]);
          expect(config.message).not.toContain(SECRET);
          expect(Object.keys(environment).some((name) => config.message.includes(name))).toBe(true);
          return;
        }
        seen.loaded += 1;
        expect(Object.isFrozen(config.values)).toBe(true);
        for (const [name, value] of Object.entries(config.values)) {
          if (typeof value === 'number') expect([name, Number.isFinite(value) && value >= 0]).toEqual([name, true]);
        }
        expect(described(config)).not.toContain(SECRET);
      }),
      {
        numRuns: 500,
        interruptAfterTimeLimit: 10_000,
        examples: [
          [{ THUGSHELLS_SYNC_INTERVAL: `${MANY_DIGITS}s`, THUGSHELLS_RETRY_MAX: `${MANY_DIGITS}s` }],
          // An address where a file is meant.
          [
            {
              THUGSHELLS_REMOTE_URL: `http://admin:${SECRET}@vm`,
              THUGSHELLS_REMOTE_TOKEN_FILE: `http://admin:${SECRET}@vm`,
            },
          ],
        ],
      },
    );
    // Both happen, or the property says nothing.
    expect(Math.min(seen.loaded, seen.refused)).toBeGreaterThan(5);
  });

  test('reads every variable the same with the quotes and carriage returns of an environment file', () => {
    const { values, effective } = load({ ...RATE, THUGSHELLS_DEVICE_ID: 'board-1' });
    const written = (wrap: (value: string) => string) =>
      Object.fromEntries(effective.map(({ variable, value }) => [variable, wrap(value)]));
    for (const wrap of [
      (value: string) => `${value}\r`,
      (value: string) => `"${value}"`,
      (value: string) => `'${value}'\r`,
    ])
      expect(load(written(wrap)).values).toEqual(values);
  });

  test('is started the same by what check-config shows of it', () => {
    fc.assert(
      fc.property(environments, (environment) => {
        const config = loaded(load, environment);
        if (config instanceof AgentError) return fc.pre(false);
        const { values, effective } = config;
        fc.pre(effective.every(({ value }) => !value.includes('***')));
        expect(load(Object.fromEntries(effective.map(({ variable, value }) => [variable, value]))).values).toEqual(
          values,
        );
      }),
      { numRuns: 100, interruptAfterTimeLimit: 10_000 },
    );
  });
});
