import { describe, expect, test } from '@jest/globals';

import { checkConfig, type CheckedConfig } from '../../../../shared/src/config/check-config.ts';
import { loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';
import type { Variables } from '../../../../shared/src/config/load-config.ts';
import { loadUploaderConfig } from '../../../../shared/src/config/uploader-config.ts';
import type { AgentError } from '../../../../shared/src/errors.ts';

const URL = 'http://vm.example/api/v1/import';

describe.each([
  ['collector', (given: Record<string, string>): CheckedConfig<Variables> => check(given, loadCollectorConfig)],
  ['uploader', (given: Record<string, string>): CheckedConfig<Variables> => check(given, loadUploaderConfig)],
])('check-config of the %s', (_, checked) => {
  const fail = (given: Record<string, string>): AgentError => {
    try {
      checked(given);
    } catch (error) {
      return error as AgentError;
    }
    throw new Error('it accepts them');
  };

  test('names the mistakes in the variables of both, each once', () => {
    const { message, code } = fail({ CPU_INTERVAL: '10', UPLOAD_INTERVAL: 'often', LOG_LEVEL: 'loud' });
    for (const name of ['CPU_INTERVAL=10', 'UPLOAD_INTERVAL=often', 'LOG_LEVEL=loud'])
      expect(message.split(`THUGSHELLS_${name}: must be`)).toHaveLength(2);
    expect([message.split('cannot use the configuration').length, code]).toEqual([2, 'BAD_CONFIGURATION']);
  });

  test('names an address of the other protocol', () => {
    const { message, hint } = fail({ REMOTE_URL: URL, REMOTE_PROTOCOL: 'remote-write' });
    expect([message, hint]).toEqual([expect.stringContaining('accepts JSON lines'), expect.stringContaining('/write')]);
  });

  test('warns of what is likely a mistake, and of nothing else', () => {
    expect(checked({ REMOTE_URL: URL }).warnings).toEqual([]);
    expect(checked({ REMOTE_URL: `${URL}/prometheus`, DB_PTH: 'x' }).warnings).toEqual([
      expect.stringContaining('THUGSHELLS_DB_PTH is not a variable'),
      expect.stringMatching(/^THUGSHELLS_REMOTE_URL=.*: \/api\/v1\/import\/prometheus is for another format/),
    ]);
  });
});

test('check-config of the collector compares no address that its unit does not get', () => {
  expect(check({ REMOTE_PROTOCOL: 'remote-write' }, loadCollectorConfig).warnings).toEqual([]);
});

test('check-config of the collector compares no credentials, which its unit does not get', () => {
  expect(check({ REMOTE_CERT_FILE: '/etc/cert' }, loadCollectorConfig).warnings).toEqual([]);
});

function check<V extends Variables>(
  given: Record<string, string>,
  load: Parameters<typeof checkConfig<V>>[1],
): CheckedConfig<V> {
  const all = Object.entries({ DEVICE_ID: 'board-1', ...given }).map(([name, value]) => [`THUGSHELLS_${name}`, value]);
  return checkConfig(Object.fromEntries(all) as Record<string, string>, load);
}
