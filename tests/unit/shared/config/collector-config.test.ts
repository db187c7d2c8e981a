import { describe, expect, test } from '@jest/globals';
import { KERNEL_COLLECTOR_NAMES } from '@thugshells/shared/metrics/collector-names.ts';

import { collectorVariables, loadCollectorConfig } from '../../../../shared/src/config/collector-config.ts';
import { loadConfig } from '../../../../shared/src/config/load-config.ts';
import { VARIABLE_NAMES } from '../../../../shared/src/config/variables.ts';

function load(given: Record<string, string> = {}, platform = 'linux') {
  const environment = Object.fromEntries(Object.entries(given).map(([name, value]) => [`THUGSHELLS_${name}`, value]));
  return loadConfig(collectorVariables(environment, 'this-host', platform), environment, VARIABLE_NAMES).values;
}

test('the defaults are those of the contract', () => {
  expect(load()).toMatchObject({
    deviceId: 'this-host',
    dbPath: 'var/metrics.db',
    logLevel: 'info',
    logFormat: 'auto',
    collectors: [...KERNEL_COLLECTOR_NAMES.filter((name) => !['service', 'process'].includes(name)), 'self'],
    cpuIntervalMs: 10_000,
    networkIntervalMs: 10_000,
    memoryIntervalMs: 30_000,
    diskIntervalMs: 30_000,
    temperatureIntervalMs: 30_000,
    loadIntervalMs: 30_000,
    filesystemIntervalMs: 30_000,
    pressureIntervalMs: 30_000,
    selfIntervalMs: 60_000,
    procRoot: '/proc',
    sysRoot: '/sys',
    kernel: 'linux',
    networkInclude: [],
    networkExclude: ['lo', 'docker.*', 'veth.*', 'br-.*', 'virbr.*', 'wlan.*mon'],
    networkMaxInterfaces: 32,
    diskInclude: [],
    diskExclude: ['loop.*', 'ram.*', 'zram.*', 'dm-.*', 'sr.*'],
    diskSectorBytes: 512,
    syncIntervalMs: 30_000,
    walCheckpointIntervalMs: 3_600_000,
    walCheckpointBytes: 67_108_864,
  });
});

test('the collector service runs if SERVICES names a unit', () => {
  expect(load({ SERVICES: 'encoder ssh.service' })).toMatchObject({
    collectors: [...KERNEL_COLLECTOR_NAMES.filter((name) => name !== 'process'), 'self'],
    services: ['encoder.service', 'ssh.service'],
    serviceIntervalMs: 30_000,
  });
  expect(load({ SERVICES: ' ' }).collectors).not.toContain('service');
});

test('the collector process runs if PROCESSES names a process', () => {
  const loaded = load({ PROCESSES: 'encoder  gst-launch-1.0\nencoder' });
  expect(loaded.collectors).toContain('process');
  expect(loaded.processes).toEqual(['encoder', 'gst-launch-1.0']);
  expect(load({ PROCESSES: ' ' }).collectors).not.toContain('process');
});

test('INTERVAL sets all intervals at once, and a collector’s own overrides it', () => {
  expect(load({ INTERVAL: '1m', CPU_INTERVAL: '5s' })).toMatchObject({
    cpuIntervalMs: 5_000,
    networkIntervalMs: 60_000,
    memoryIntervalMs: 60_000,
    diskIntervalMs: 60_000,
    loadIntervalMs: 60_000,
  });
});

test('the kernel is simulated where the platform is not Linux, unless something else is said', () => {
  expect(load({}, 'darwin').kernel).toBe('simulated');
  expect(load({ KERNEL: 'linux' }, 'darwin').kernel).toBe('linux');
  expect(load({ KERNEL: 'simulated' }).kernel).toBe('simulated');
});

test('the sectors of a device are 512 bytes or what sysfs says (A-29)', () => {
  expect(load({ DISK_SECTOR_BYTES: 'sysfs' }).diskSectorBytes).toBe('sysfs');
  expect(() => load({ DISK_SECTOR_BYTES: '4096' })).toThrow('THUGSHELLS_DISK_SECTOR_BYTES=4096: must be 512 or sysfs');
});

describe('what is refused', () => {
  test.each([
    ['CPU_INTERVAL', '10'],
    ['CPU_INTERVAL', '99ms'],
    ['INTERVAL', '25h'],
    ['COLLECTORS', 'cpu gpu'],
    ['COLLECTORS', ','],
    ['KERNEL', 'darwin'],
    ['NETWORK_EXCLUDE', 'eth('],
    ['NETWORK_MAX_INTERFACES', '0'],
    ['SYNC_INTERVAL', '30'],
    ['WAL_CHECKPOINT_INTERVAL', '999ms'],
    ['WAL_CHECKPOINT_SIZE', '64'],
    ['WAL_CHECKPOINT_SIZE', '63KiB'],
    ['LOG_LEVEL', 'verbose'],
    ['DEVICE_ID', ' '],
  ])('%s=%s', (name, value) => expect(() => load({ [name]: value })).toThrow(`THUGSHELLS_${name}=${value}: must be `));
});

test('the program reads the environment it is given, with this machine’s name for the device', () => {
  const { values, unknown } = loadCollectorConfig({
    THUGSHELLS_COLLECTORS: 'disk cpu',
    THUGSHELLS_REMOTE_URL: 'http://x/',
    HOME: '/root',
  });
  expect(values.collectors).toEqual(['disk', 'cpu']);
  expect(values.deviceId).not.toBe('');
  expect(unknown).toEqual([]);
});
