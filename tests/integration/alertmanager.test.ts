/** The example of a configuration for Alertmanager, by the real amtool and the real Alertmanager. */
import { execFileSync } from 'node:child_process';

import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

import { Alertmanager, alertmanagerFile } from '../support/alertmanager.ts';
import { until } from '../support/until.ts';

test('alertmanager: amtool accepts the example', () => {
  expect(execFileSync('amtool', ['check-config', alertmanagerFile], { encoding: 'utf8' })).toContain('SUCCESS');
});

describe('alertmanager: the example leaves out', () => {
  let alertmanager: Alertmanager;
  const alert = (alertname: string, device = '') => ({ alertname, ...(device === '' ? {} : { device_id: device }) });

  beforeAll(async () => {
    alertmanager = await Alertmanager.start();
  }, 60_000);
  afterAll(() => alertmanager.stop());

  test('what others imply, and nothing of another device, until they end', async () => {
    const [silent, other] = [alert('DeviceSilent', 'a'), alert('DeviceSilent', 'b')];
    await alertmanager.send([silent, other, alert('DeviceHot', 'a'), alert('DeviceHot', 'c')]);
    await until('the silence of a device inhibits what it reported before', async () => {
      expect(await alertmanager.inhibited()).toEqual(['DeviceHot a']);
      return true;
    });
    const many = alert('ManyDevicesSilent');
    await alertmanager.send([many]);
    await until('the silence of many inhibits that of each', async () => {
      expect(await alertmanager.inhibited()).toEqual(['DeviceHot a', 'DeviceSilent a', 'DeviceSilent b']);
      return true;
    });
    await alertmanager.send([many], 'resolved');
    await until('the silence of many is over', async () => {
      expect(await alertmanager.inhibited()).toEqual(['DeviceHot a']);
      return true;
    });
  });

  test('what a dead collector brings with it, and not its own alert', async () => {
    await alertmanager.send([
      alert('CollectorDown', 'd'),
      alert('DeviceDegraded', 'd'),
      alert('CollectorFailing', 'd'),
      alert('DeviceError', 'd'),
      alert('DeviceDegraded', 'e'),
    ]);
    await until('the dead collector inhibits', async () => {
      expect((await alertmanager.inhibited()).filter((each) => / [de]$/.test(each))).toEqual([
        'CollectorFailing d',
        'DeviceDegraded d',
      ]);
      return true;
    });
  });
});
