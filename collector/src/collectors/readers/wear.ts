import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseHexFile } from '../parsing/kernel-text.ts';
import { readEach } from './partial-result.ts';

const lifeTime = declareSeries({
  name: 'disk.life_time_estimate',
  kind: 'gauge',
  unit: 'none',
  help: 'Lifetime used, in tenths, as an eMMC estimates it for each type of its memory: 1 up to 10 %, 10 up to 100 %, 11 more.',
});
const preEolState = declareSeries({
  name: 'disk.pre_eol_state',
  kind: 'gauge',
  unit: 'none',
  help: 'Spare blocks of an eMMC: 1 normal, 2 more than 80 % used, 3 more than 90 % used.',
});
export const WEAR_SERIES: readonly SeriesDeclaration[] = [lifeTime, preEolState];

/** A card, not its boot and replay-protected partitions, which are block devices too. */
const card = /^mmcblk[0-9]+$/;
/** The values that JEDEC defines (JESD84-B51, 7.4.27 to 7.4.29); 0 means "not defined", and cards report others too. */
const MAX_LIFE_TIME = 0x0b;
const MAX_PRE_EOL = 0x03;

/**
 * Reads the wear of flash memory that reports it: eMMC from 5.0 on, no SD cards. The kernel reads it when it initializes
 * the card, so the values change at a boot or resume.
 *
 * @throws AgentError as `readEach` does
 */
export async function readWear(kernel: KernelSource, devices: readonly string[]): Promise<readonly Reading[]> {
  return readEach(
    devices
      .filter((device) => card.test(device))
      .flatMap((device) => [
        async () => toLifeTimes(device, await readHex(kernel, `block/${device}/device/life_time`, 2)),
        async () => toPreEolState(device, await readHex(kernel, `block/${device}/device/pre_eol_info`, 1)),
      ]),
  );
}

async function readHex(kernel: KernelSource, file: string, count: number): Promise<number[]> {
  return parseHexFile(`/sys/${file}`, await kernel.sys(file), count);
}

function toLifeTimes(device: string, estimates: readonly number[]): Reading[] {
  return estimates.flatMap((value, index) => {
    const labels = { device, memory: index === 0 ? 'a' : 'b' };
    return value >= 1 && value <= MAX_LIFE_TIME ? [{ series: lifeTime, labels, value }] : [];
  });
}

function toPreEolState(device: string, [value = 0]: readonly number[]): Reading[] {
  return value >= 1 && value <= MAX_PRE_EOL ? [{ series: preEolState, labels: { device }, value }] : [];
}
