import { afterEach, beforeEach, expect, test } from '@jest/globals';

import type { DeviceFacts } from '../../../../../uploader/src/http/page/device-facts.ts';
import { device } from '../../../../../uploader/src/http/page/device-section.ts';
import { HistoryReader } from '../../../../../uploader/src/http/page/history-reader.ts';
import { StoredSamples } from '../../../../support/uploader/stored-samples.ts';

const NOW = 1_700_000_000_000;
let stored: StoredSamples;
beforeEach(() => void (stored = new StoredSamples()));
afterEach(() => stored.remove());

function read(): DeviceFacts | undefined {
  const reader = new HistoryReader(stored.path);
  try {
    return reader.readDevice();
  } finally {
    reader.close();
  }
}

function show(facts: DeviceFacts | undefined, nowMs = NOW): string {
  return device(facts, { version: '1.2.3', nowMs }).text;
}

/** Stores values some seconds ago, oldest first. */
function store(
  values: readonly (readonly [name: string, value: unknown, tags?: Record<string, string>, secondsAgo?: number])[],
) {
  for (const [name, value, tags = {}, secondsAgo = 10] of values) {
    const id = stored.series(name, { tags, valueType: typeof value === 'string' ? 1 : 0 });
    stored.add(id, NOW - secondsAgo * 1_000 + id, value);
  }
}

test('device facts: there are none while nothing is stored', () => {
  expect(read()).toBeUndefined();
  expect(show(undefined)).toContain('Nothing is known of the device yet.');
});

test('device facts: are the newest values, and what is not collected is not shown', () => {
  const series = stored.series('system.uptime_seconds');
  for (const seconds of [140, 80, 20]) stored.add(series, NOW - seconds * 1_000, 273_000 - seconds);
  const facts = read();
  expect(facts).toMatchObject({ uptimeSeconds: 272_980, atMs: NOW - 20_000, temperatures: [], fileSystems: [] });
  expect(facts).not.toHaveProperty('throttledBecause');
  expect(show(facts)).toContain('<dt>Uptime</dt><dd>3 d 3 h</dd>');
  expect(show(facts)).not.toMatch(/Model|Temperature|Clock|File system|throttled/);
});

test('device facts: of a whole device', () => {
  store([
    ['system.model', 'Raspberry Pi 4 Model B', {}, 100],
    ['system.os_release', 'Debian GNU/Linux 13', {}, 90],
    ['system.kernel', '6.12.25', {}, 80],
    ['cpu.temperature_celsius', 6_280, { zone: 'nothing' }],
    ['cpu.temperature_celsius', 57.4, { zone: 'soc-thermal' }],
    ['cpu.throttled', 1, { reason: 'under-voltage' }],
    ['system.clock_synchronized', 0],
    ['cpu.throttled', 0, { reason: 'soft temperature limit' }],
    ['filesystem.size_bytes', 8e9, { mountpoint: '/data', fstype: 'ext4' }],
    ['filesystem.available_bytes', 3e8, { mountpoint: '/data', fstype: 'ext4' }],
    ['network.up', 1, { interface: 'wlan9' }],
    ['network.info', 1, { interface: 'wlan9', kind: 'wlan' }],
    ['network.wireless_signal_dbm', -61, { interface: 'wlan9' }],
    ['network.default_route', 1, { interface: 'wlan9' }],
  ]);
  const text = show(read());
  expect(text).toContain('<dd>Debian GNU/<wbr>Linux 13 <small>kernel 6.12.25</small></dd>');
  expect(text).toContain(
    '<div><dt>Temperature</dt><dd>57 °C, soc-<wbr>thermal <small><span class="dot degraded">throttled: under-<wbr>voltage',
  );
  expect(text).toContain('<dt>Clock</dt><dd><span class="dot degraded">not synchronized</span></dd>');
  expect(text).toContain('<span class="dot degraded">300 MB of 8.0 GB</span>');
  expect(text).toContain('up, wlan, signal -61 dBm, default route');
});

test('device facts: are those of the newest series after the labels were changed', () => {
  store(
    [{}, { site: 'berlin' }].flatMap((labels, change) => [
      ['system.os_release', `Debian ${change + 12}`, labels, 100 - 50 * change],
      ['filesystem.size_bytes', 8e9, { ...labels, mountpoint: '/' }, 100 - 50 * change],
      ['filesystem.available_bytes', (change + 1) * 1e9, { ...labels, mountpoint: '/' }, 100 - 50 * change],
    ]),
  );
  expect(read()).toMatchObject({
    os: 'Debian 13',
    fileSystems: [{ mountpoint: '/', sizeBytes: 8e9, availableBytes: 2e9 }],
  });
});

test('device facts: are those of each file system, thermal zone and interface', () => {
  store(
    ['a', 'b'].flatMap((thing) => [
      ['filesystem.size_bytes', 8e9, { mountpoint: thing }],
      ['filesystem.available_bytes', 3e9, { mountpoint: thing }],
      ['cpu.temperature_celsius', 57, { zone: thing }],
      ['network.up', 1, { interface: thing }],
    ]),
  );
  const { fileSystems, temperatures, links } = read()!;
  expect(fileSystems.map(({ mountpoint }) => mountpoint)).toEqual(['a', 'b']);
  expect(temperatures.map(({ zone }) => zone)).toEqual(['a', 'b']);
  // Those of this machine come after them.
  expect(links.slice(0, 2).map(({ name }) => name)).toEqual(['a', 'b']);
});

test('device facts: an uptime that was collected long ago is said to be', () => {
  store([['system.uptime_seconds', 60]]);
  expect(show(read(), NOW + 4 * 60_000)).not.toContain('collected last');
  expect(show(read(), NOW + 6 * 60_000)).toContain('<small>when it was collected last</small>');
});
