import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { createMalformedError, readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseHexFile, parseNumberFile } from '../parsing/kernel-text.ts';
import type { SourceReader } from './partial-result.ts';
import { listChipAttributes, readChipName, type Chip } from './sensors.ts';

const throttled = declareSeries({
  name: 'cpu.throttled',
  kind: 'gauge',
  unit: 'none',
  help: '1 while the firmware of a Raspberry Pi throttles the processor for the reason.',
});
const throttledSinceBoot = declareSeries({
  name: 'cpu.throttled_since_boot',
  kind: 'gauge',
  unit: 'none',
  help: '1 if the firmware of a Raspberry Pi has throttled the processor for the reason since boot.',
});
export const FIRMWARE_SERIES: readonly SeriesDeclaration[] = [throttled, throttledSinceBoot];

/**
 * Of Raspberry Pi's kernel; the output of `vcgencmd get_throttled`, in hex: bits 0 to 3 now, 16 to 19 since boot. Its
 * directory is soc/soc:firmware, on a Raspberry Pi 5 soc@107c000000/soc@107c000000:firmware.
 */
const FLAGS = 'get_throttled';
const PLATFORM = 'devices/platform';
const soc = /^soc(@[0-9a-f]+)?$/;
const SINCE_BOOT_BIT = 16;
const REASONS = ['under_voltage', 'frequency_capped', 'throttled', 'soft_temperature_limit'] as const;

/** Of the mainline kernel: 1 if the voltage was low when the driver last asked (Documentation/hwmon/raspberrypi-hwmon.rst). */
const VOLTAGE_CHIP = 'rpi_volt';
const VOLTAGE_ALARM = 'in0_lcrit_alarm';

/**
 * Finds the flags of the firmware of a Raspberry Pi: those of its own kernel, which include under-voltage; else the
 * alarm of the mainline kernel. None on other devices.
 */
export async function findFirmwareFlags(kernel: KernelSource, chips: readonly Chip[]): Promise<SourceReader[]> {
  for (const parent of (await listEntries(kernel, PLATFORM)).filter((entry) => soc.test(entry))) {
    const directory = `${PLATFORM}/${parent}/${parent}:firmware`;
    if (!(await listEntries(kernel, directory)).includes(FLAGS)) continue;
    const file = `${directory}/${FLAGS}`;
    return [async () => parseThrottled(`/sys/${file}`, await kernel.sys(file))];
  }
  for (const { directory } of chips) {
    const alarm = (await listChipAttributes(kernel, directory)).get(VOLTAGE_ALARM);
    if (alarm === undefined || (await readChipName(kernel, directory)) !== VOLTAGE_CHIP) continue;
    return [async () => parseVoltageAlarm(`/sys/${alarm}`, await kernel.sys(alarm))];
  }
  return [];
}

function listEntries(kernel: KernelSource, directory: string): Promise<readonly string[]> {
  return readOptional(kernel.sysEntries(directory), []);
}

/**
 * Parses the flags of the firmware.
 *
 * @throws AgentError KERNEL_FILE_MALFORMED
 */
export function parseThrottled(path: string, text: string): Reading[] {
  const [bits = 0] = parseHexFile(path, text, 1);
  const isSet = (bit: number) => Math.floor(bits / 2 ** bit) % 2;
  return REASONS.flatMap((reason, bit) => [
    { series: throttled, labels: { reason }, value: isSet(bit) },
    { series: throttledSinceBoot, labels: { reason }, value: isSet(SINCE_BOOT_BIT + bit) },
  ]);
}

function parseVoltageAlarm(path: string, text: string): Reading[] {
  const value = parseNumberFile(path, text);
  if (value > 1) throw createMalformedError(path, `${value} is neither 0 nor 1`);
  const reason: (typeof REASONS)[number] = 'under_voltage';
  return [{ series: throttled, labels: { reason }, value }];
}
