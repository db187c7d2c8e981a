// Longer than a test should be: each rule of reading variables is a case, with the message that it gives.
import { describe, expect, test } from '@jest/globals';

import { formatEffectiveConfig } from '../../../../shared/src/config/check-config.ts';
import {
  loadConfig,
  maskCredentials,
  type Environment,
  type Variable,
} from '../../../../shared/src/config/load-config.ts';
import { AgentError, toExitCode } from '../../../../shared/src/errors.ts';
import { duration, httpUrl, integer, optionalText, size, text } from '../../../../shared/src/config/formats.ts';
import { thrownBy } from '../../../support/thrown.ts';

const variables = {
  deviceId: { env: 'DEVICE_ID', doc: 'Name.', default: 'this-host', format: text },
  interval: {
    env: 'INTERVAL',
    doc: 'All.',
    default: '',
    format: { expected: duration.expected, parse: (given: string) => (given === '' ? 0 : duration.parse(given)) },
  },
  cpuMs: { env: 'CPU_INTERVAL', doc: 'Cpu.', default: '10s', inheritsFrom: 'INTERVAL', format: duration },
  diskMs: { env: 'DISK_INTERVAL', doc: 'Disk.', default: '30s', inheritsFrom: 'INTERVAL', format: duration },
  walBytes: { env: 'WAL_SIZE', doc: 'WAL.', default: '64MiB', format: size },
  attempts: { env: 'ATTEMPTS', doc: 'Tries.', default: '3', format: integer(1, 10) },
  url: { env: 'REMOTE_URL', doc: 'Where to.', default: 'http://127.0.0.1:8428/', format: httpUrl },
  file: { env: 'TOKEN_FILE', doc: 'Token.', default: '', format: optionalText },
} satisfies Record<string, Variable<unknown>>;

const known = [...Object.values(variables).map(({ env }) => env), 'HEALTH_PORT'];

function load(given: Record<string, string | undefined> = {}) {
  const environment: Environment = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name === 'PATH' ? name : `THUGSHELLS_${name}`, value]),
  );
  return loadConfig(variables, environment, known);
}

function problemsOf(given: Record<string, string>): string[] {
  const error = thrownBy(() => load(given));
  expect(error).toMatchObject({ code: 'BAD_CONFIGURATION', hint: expect.stringContaining('check-config') });
  expect(toExitCode(error)).toBe(78);
  return (error as AgentError).message.split('\n').slice(1);
}

describe('values', () => {
  test('are the defaults, read by their formats, where nothing is given', () => {
    expect(load({ PATH: '/bin' }).values).toEqual({
      deviceId: 'this-host',
      interval: 0,
      cpuMs: 10_000,
      diskMs: 30_000,
      walBytes: 67_108_864,
      attempts: 3,
      url: 'http://127.0.0.1:8428/',
      file: '',
    });
  });

  test('come from the environment where they are given there', () => {
    expect(
      load({
        DEVICE_ID: 'belabox-001',
        DISK_INTERVAL: '5m',
        WAL_SIZE: '1MiB',
        ATTEMPTS: '10',
        TOKEN_FILE: '/run/token',
      }).values,
    ).toMatchObject({
      deviceId: 'belabox-001',
      diskMs: 300_000,
      walBytes: 1_048_576,
      attempts: 10,
      file: '/run/token',
    });
  });

  test('that are empty or not set count as not given', () => {
    expect(load({ ATTEMPTS: '', REMOTE_URL: undefined, DISK_INTERVAL: '' }).values).toMatchObject({
      attempts: 3,
      url: 'http://127.0.0.1:8428/',
      diskMs: 30_000,
    });
  });

  test('cannot be changed afterwards', () => {
    const { values } = load();
    expect(() => Object.assign(values, { attempts: 7 })).toThrow(TypeError);
  });

  test('are inherited from INTERVAL where they are not given themselves', () => {
    expect(load({ INTERVAL: '1m', DISK_INTERVAL: '5m' }).values).toMatchObject({ cpuMs: 60_000, diskMs: 300_000 });
  });

  test('of one load are not seen by the next', () => {
    load({ INTERVAL: '1m', ATTEMPTS: '9' });
    expect(load().values).toMatchObject({ cpuMs: 10_000, attempts: 3 });
  });
});

describe('configuration: what an environment file leaves around a value', () => {
  const written = {
    DEVICE_ID: 'board 1',
    DISK_INTERVAL: '5m',
    WAL_SIZE: '1MiB',
    ATTEMPTS: '7',
    REMOTE_URL: 'http://vm:1/',
  };

  test.each<[string, (value: string) => string]>([
    ['a carriage return', (value) => `${value}\r`],
    ['blanks', (value) => ` \t${value} \n`],
    ['double quotes', (value) => `"${value}"`],
    ['single quotes', (value) => `'${value}'`],
    ['quotes and a carriage return', (value) => `"${value}"\r`],
    ['blanks within quotes', (value) => `" ${value}\r" `],
    ['quotes within quotes', (value) => `'"${value}"'`],
  ])('configuration: %s is no part of any value', (_, wrap) => {
    const { values, effective } = load(
      Object.fromEntries(Object.entries(written).map(([name, value]) => [name, wrap(value)])),
    );
    expect(values).toMatchObject({
      deviceId: 'board 1',
      diskMs: 300_000,
      walBytes: 1_048_576,
      attempts: 7,
      url: 'http://vm:1/',
    });
    for (const [name, value] of Object.entries(written))
      expect(effective).toContainEqual({ variable: `THUGSHELLS_${name}`, value, origin: 'environment' });
  });

  test('configuration: an inherited value is read in the same way, and nothing in quotes is not given', () => {
    const { values, effective } = load({ INTERVAL: '"1m"\r', ATTEMPTS: '""', DISK_INTERVAL: " '' ", TOKEN_FILE: '\r' });
    expect(values).toMatchObject({ cpuMs: 60_000, diskMs: 60_000, attempts: 3, file: '' });
    expect(effective.filter(({ origin }) => origin === 'environment').map(({ variable }) => variable)).toEqual([
      'THUGSHELLS_INTERVAL',
    ]);
  });

  test.each(['"board-1', "board-1'", `"a" "b"`, `it's`, `'a' or "b"`, '"'])(
    'configuration: quotes that do not enclose the value are part of it: %s',
    (value) => expect(load({ DEVICE_ID: value }).values.deviceId).toBe(value),
  );
});

describe('problems', () => {
  test('are all told at once, each with variable, value and what it must be', () => {
    expect(problemsOf({ DISK_INTERVAL: '30', ATTEMPTS: '11', REMOTE_URL: 'vm:8428', WAL_SIZE: '64' })).toEqual([
      '  THUGSHELLS_DISK_INTERVAL=30: must be a duration with its unit, such as 500ms, 30s, 5m or 1h',
      '  THUGSHELLS_WAL_SIZE=64: must be a size with its unit, such as 256KiB or 64MiB',
      '  THUGSHELLS_ATTEMPTS=11: must be a whole number from 1 to 10',
      '  THUGSHELLS_REMOTE_URL=vm:8428: must be an http:// or https:// address',
    ]);
  });

  test('name an INTERVAL that cannot be read once, not once for each heir', () => {
    expect(problemsOf({ INTERVAL: '10' })).toEqual([
      expect.stringContaining('THUGSHELLS_INTERVAL=10: must be a duration'),
    ]);
  });

  test('include the unknown variables, since the typing error may be the cause', () => {
    expect(problemsOf({ ATTEMPTS: '0', DEVICE: 'x' })).toEqual([
      '  THUGSHELLS_ATTEMPTS=0: must be a whole number from 1 to 10',
      '  THUGSHELLS_DEVICE is not a variable of this program; did you mean THUGSHELLS_DEVICE_ID?',
    ]);
  });

  test.each([
    'ftp://admin:hunter2@vm.example/api',
    'http://admin:hunter2@vm.example:99999/api',
    'http://admin:hunter/2hunter2@vm.example/api',
    'admin:hunter2@vm.example:8428/api',
    'http//admin:hunter2@vm.example:8428/api',
    'ws://vm.example/api?token=hunter2',
    'vm.example/api?token=hunter2&x=hunter2',
    'http://hunter2@vm.example:99999/',
  ])('never print the credentials of %p', (given) => {
    const text = problemsOf({ REMOTE_URL: given }).join('\n');
    expect(text).toContain('THUGSHELLS_REMOTE_URL=');
    expect(text).not.toContain('hunter2');
  });
});

describe('unknown variables', () => {
  test('do not keep a program from running: it says them, with the nearest known name', () => {
    const { values, unknown } = load({ DISK_INTERVALL: '5m', REMOTE_ULR: 'http://x/' });
    expect(values.diskMs).toBe(30_000);
    expect(unknown).toEqual([
      'THUGSHELLS_DISK_INTERVALL is not a variable of this program; did you mean THUGSHELLS_DISK_INTERVAL?',
      'THUGSHELLS_REMOTE_ULR is not a variable of this program; did you mean THUGSHELLS_REMOTE_URL?',
    ]);
  });

  test('have no guess if no known name is near', () => {
    expect(load({ BLUETOOTH_INTERVAL: '5m' }).unknown).toEqual([
      'THUGSHELLS_BLUETOOTH_INTERVAL is not a variable of this program',
    ]);
  });

  test('are not those that only the other program reads, nor those of other programs', () => {
    expect(load({ HEALTH_PORT: 'anything', PATH: '/bin' }).unknown).toEqual([]);
  });

  test('do not fail check-config where they are allowed, as the programs start with them', () => {
    expect(formatEffectiveConfig(load({ DISK_INTERVALL: '5m' }), new Set(['--allow-unknown']))).toContain(
      'THUGSHELLS_DISK_INTERVAL=',
    );
  });

  test('fail check-config', () => {
    const error = thrownBy(() => formatEffectiveConfig(load({ DISK_INTERVALL: '5m' }), new Set()));
    expect(error).toMatchObject({
      code: 'BAD_CONFIGURATION',
      message: expect.stringContaining('did you mean THUGSHELLS_DISK_INTERVAL?'),
    });
  });
});

describe('check-config', () => {
  test('shows each variable as it would be written, and where that came from', () => {
    const text = formatEffectiveConfig(load({ INTERVAL: '1m', DISK_INTERVAL: '5m', ATTEMPTS: '' }), new Set());
    expect(text.split('\n')).toEqual([
      'THUGSHELLS_DEVICE_ID=this-host                # default',
      'THUGSHELLS_INTERVAL=1m                        # environment',
      'THUGSHELLS_CPU_INTERVAL=1m                    # THUGSHELLS_INTERVAL',
      'THUGSHELLS_DISK_INTERVAL=5m                   # environment',
      'THUGSHELLS_WAL_SIZE=64MiB                     # default',
      'THUGSHELLS_ATTEMPTS=3                         # default',
      'THUGSHELLS_REMOTE_URL=http://127.0.0.1:8428/  # default',
      'THUGSHELLS_TOKEN_FILE=                        # default',
    ]);
  });

  test('keeps the origins on a terminal beside a long value', () => {
    const text = formatEffectiveConfig(load({ REMOTE_URL: `http://${'receiver.'.repeat(20)}example/` }), new Set());
    expect(text.split('\n').filter((line) => line.length > 80)).toEqual([
      expect.stringMatching(/^THUGSHELLS_REMOTE_URL=\S+ {2}# environment$/),
    ]);
  });

  test('masks credentials', () => {
    const text = formatEffectiveConfig(
      load({ REMOTE_URL: 'https://admin:hunter2@vm.example/api/v1/import?token=hunter2' }),
      new Set(),
    );
    expect(text).toContain('THUGSHELLS_REMOTE_URL=https://***@vm.example/api/v1/import?token=***');
    expect(text).not.toContain('hunter2');
  });
});

describe('masking', () => {
  test.each([
    ['http://vm.example:8428', 'http://vm.example:8428'],
    ['https://user@vm.example/', 'https://***@vm.example/'],
    ['https://:pw@vm.example/', 'https://***@vm.example/'],
    ['https://vm.example/?a=1&b=2&a=3', 'https://vm.example/?a=***&b=***&a=***'],
    [
      'https://vm.example/api/v1/import?extra_label=site=berlin&authKey=k1&extra_label=rack%3D3&precision=ms',
      'https://vm.example/api/v1/import?extra_label=site=berlin&authKey=***&extra_label=rack%3D3&precision=ms',
    ],
    [
      'https://vm.example/?extra_filters[]={a="b"}&x_extra_label=1',
      'https://vm.example/?extra_filters[]={a=%22b%22}&x_extra_label=***',
    ],
    ['https://vm.example/?trace', 'https://vm.example/?trace'],
    ['https://vm.example/?eyJhbGciOiJIUzI1NiJ9', 'https://vm.example/?***'],
    ['htp//vm.example/?token=abc&extra_label=a=b&key=d', 'htp//vm.example/?token=***&extra_label=a=b&key=***'],
    [
      'vm=http://127.0.0.1/metrics?key=a&db=b n=http://127.0.0.1/x?key=c',
      'vm=http://127.0.0.1/metrics?key=***&db=b n=http://127.0.0.1/x?key=***',
    ],
    ['http//vm.example/import&token=abc', 'http//vm.example/import&token=***'],
    ['(?<name>a=b)/.* (?:x|y=z)', '(?<name>a=b)/.* (?:x|y=z)'],
    ['/api/v1/import?db=x&token=y#z', '/api/v1/import?db=x&token=***#z'],
    ['lo docker.* veth.*', 'lo docker.* veth.*'],
    ['/run/credentials/token', '/run/credentials/token'],
    ['10s', '10s'],
    [
      'node=http://user:pw@127.0.0.1:9100/metrics vm=http://127.0.0.1:8428/metrics',
      'node=http://***@127.0.0.1:9100/metrics vm=http://127.0.0.1:8428/metrics',
    ],
  ])('%p is shown as %p', (given, shown) => expect(maskCredentials(given)).toBe(shown));
});
