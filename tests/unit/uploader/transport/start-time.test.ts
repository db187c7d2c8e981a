import { gzipSync } from 'node:zlib';

import { describe, expect, test } from '@jest/globals';

import { decodeMetrics, readStorageUptime } from '../../../../uploader/src/transport/start-time.ts';

const STORAGE = 'vm_data_size_bytes{type="storage/small"} 0\n';
const UPTIME = 'vm_app_start_timestamp 1795744590\nvm_app_uptime_seconds 42\n';

describe('uptime of the process that stores', () => {
  test('is read from the metrics of a VictoriaMetrics', () => {
    expect(readStorageUptime(`${STORAGE}${UPTIME}`)).toBe(42);
  });

  test.each([
    ['a vmauth, vminsert or vmagent, which store nothing', UPTIME],
    ['a VictoriaMetrics without an uptime', STORAGE],
    ['a Prometheus', 'process_start_time_seconds 1.7e9\n'],
    ['a page', '<html>vm_app_uptime_seconds 42</html>'],
    ['nobody', ''],
  ])('is unknown from the metrics of %s', (_, metrics) => {
    expect(readStorageUptime(metrics)).toBeUndefined();
  });
});

test('metrics: are read as they are, or gzipped up to 4 MiB', () => {
  expect(decodeMetrics(Buffer.from(UPTIME), undefined)).toBe(UPTIME);
  expect(decodeMetrics(gzipSync(UPTIME), 'GZIP')).toBe(UPTIME);
  expect(() => decodeMetrics(gzipSync(Buffer.alloc(5 * 1024 ** 2)), 'gzip')).toThrow();
  expect(() => decodeMetrics(Buffer.from(UPTIME), 'gzip')).toThrow();
});
