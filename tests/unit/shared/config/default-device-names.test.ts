import { expect, test } from '@jest/globals';

import { listDeviceNotices } from '../../../../shared/src/config/default-device-names.ts';

test.each([
  'raspberrypi',
  'RaspberryPi',
  'localhost',
  'debian',
  'ubuntu',
  'orangepi',
  'raspberrypi.local',
  'pi.fritz.box',
])('device name: %s is one that many devices have, and what to set is said', (name) => {
  expect(listDeviceNotices(name)).toEqual([
    `THUGSHELLS_DEVICE_ID=${name}: many devices have this name, and the series of two of them would be mixed; set THUGSHELLS_DEVICE_ID to a name of this device alone`,
  ]);
});

test.each(['board-1', 'raspberrypi-berlin', 'debian.example.org', 'raspberrypi17', 'belabox-001', 'local', ''])(
  'device name: %j is not',
  (name) => expect(listDeviceNotices(name)).toEqual([]),
);
