import { describe, expect, test } from '@jest/globals';

import { findBusPath } from '../../../../../collector/src/collectors/readers/bus-path.ts';
import { createKernelError, TextKernel } from '../../../../support/collector/text-kernel.ts';

/** A kernel with these directories below /sys/devices. */
function kernelWith(...directories: readonly string[]): TextKernel {
  return new TextKernel(Object.fromEntries(directories.map((directory) => [`sys/devices/${directory}/`, ''])));
}

const pathIn = (path: string, ...directories: readonly string[]) =>
  findBusPath(kernelWith(path, ...directories), `devices/${path}`);

describe('bus path: what stays of where a device is attached', () => {
  test.each([
    ['pci0000:00/0000:00:1d.4/0000:05:00.0/nvme/nvme3', '0000:05:00.0'],
    ['pci0000:00/0000:00:18.3', '0000:00:18.3'],
    ['platform/coretemp.1', 'coretemp.1'],
    ['platform/dell_smm_hwmon', 'dell_smm_hwmon'],
    ['platform/soc/fe804000.i2c/i2c-1/1-0048', 'fe804000.i2c 0048'],
    ['platform/soc/soc:firmware/raspberrypi-hwmon', 'soc:firmware raspberrypi-hwmon'],
    ['platform/soc@0/fd880000.i2c/i2c-0/i2c-ACME0001:00', 'i2c-ACME0001:00'],
    ['platform/soc/fe204000.spi/spi_master/spi0/spi0.1', 'fe204000.spi 1'],
    ['LNXSYSTM:00/LNXSYBUS:01/LNXTHERM:01', 'LNXTHERM:01'],
    ['platform/soc/fe804000.i2c/i2c-4/4-0058/acme-adc.7.auto', 'fe804000.i2c 0058 acme-adc'],
    ['platform/soc/fe804000.i2c/i2c-1/i2c-4/4-004c', 'fe804000.i2c 004c'],
    ['w1_bus_master1/28-0316a2795fd1', '28-0316a2795fd1'],
    ['pci0000:00/0000:00:1c.0/0000:02:00.0/ieee80211/phy7', '0000:02:00.0'],
    ['LNXSYSTM:00/LNXSYBUS:00/PNP0A08:00/PNP0C0A:00/power_supply/BAT0', 'PNP0C0A:00 BAT0'],
  ])('%s: %s', async (path, expected) => {
    expect(await pathIn(path)).toBe(expected);
  });

  test.each(['virtual/hwmon', 'virtual/net/wg0', '', 'soc/platform/x/'])('nothing of devices/%s', async (path) => {
    expect(await findBusPath(new TextKernel(), `devices/${path}`)).toBe('');
  });

  test('nothing of what is no device', async () => {
    expect(await findBusPath(new TextKernel(), 'class/hwmon/hwmon0/device')).toBe('');
    expect(await findBusPath(new TextKernel(), '../devices/pci0000:00/0000:00:1d.4')).toBe('');
  });
});

describe('bus path: a number that the kernel counts up', () => {
  const controller = 'pci0000:00/0000:00:17.0';
  const disk = (ata: number, host: number) => `${controller}/ata${ata}/host${host}/target${host}:0:0/${host}:0:0:0`;

  test('becomes the place among the siblings: the ports of a controller, however many there are of others', async () => {
    const ports = (first: number) => [0, 1, 2, 3].map((port) => `${controller}/ata${first + port}`);
    expect(await pathIn(disk(2, 1), ...ports(1))).toBe('0000:00:17.0 ata2 0:0:0');
    expect(await pathIn(disk(10, 14), ...ports(9))).toBe('0000:00:17.0 ata2 0:0:0');
  });

  test('stays when the siblings cannot be listed, and is left out when there are none', async () => {
    expect(await findBusPath(new TextKernel(), `devices/${disk(2, 1)}`)).toBe('0000:00:17.0 ata2 host1 0:0:0');
    expect(await pathIn(disk(2, 1))).toBe('0000:00:17.0 0:0:0');
  });

  test('of a USB bus is told by its controller, and the ports are those of the device alone', async () => {
    const root = 'pci0000:00/0000:00:14.0';
    const device = (bus: number) => `${root}/usb${bus}/${bus}-1/${bus}-1.2/${bus}-1.2:1.0/0003:1B1C:0C10.000${bus}`;
    expect(await pathIn(device(3), `${root}/usb4`)).toBe('0000:00:14.0 usb1 1.2:1.0');
    expect(await pathIn(device(1), `${root}/usb2`)).toBe('0000:00:14.0 usb1 1.2:1.0');
  });

  test('of an I2C adapter is told by its place among those of the device', async () => {
    const gpu = 'pci0000:00/0000:00:02.0';
    expect(await pathIn(`${gpu}/i2c-11/11-004c`, `${gpu}/i2c-9`, `${gpu}/i2c-10`)).toBe('0000:00:02.0 i2c-3 004c');
  });

  test('bus path: a directory that cannot be listed is an error', async () => {
    const kernel = kernelWith(disk(1, 0));
    kernel.sysEntries = async () => {
      throw createKernelError(controller, 'EACCES');
    };
    await expect(findBusPath(kernel, `devices/${disk(1, 0)}`)).rejects.toMatchObject({
      code: 'KERNEL_FILE_UNREADABLE',
    });
  });
});
