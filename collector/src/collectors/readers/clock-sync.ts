import { AgentError } from '@thugshells/shared/errors.ts';
import type { Reading } from '@thugshells/shared/metrics/sample.ts';
import { declareSeries, type SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import { readOptional } from '../../kernel/kernel-file-errors.ts';
import type { KernelSource } from '../../kernel/kernel-files.ts';
import { parseUptime } from './uptime.ts';

const synchronized = declareSeries({
  name: 'system.clock_synchronized',
  kind: 'gauge',
  unit: 'none',
  help: '1 if a time service has set the clock from a server since boot; absent if it is not known.',
});
export const CLOCK_SYNC_SERIES: readonly SeriesDeclaration[] = [synchronized];

/** Exists while systemd-timesyncd runs; the file in it, since it first set the clock (systemd-timesyncd.service(8)). */
const TIMESYNC = 'run/systemd/timesync';
/** chronyd writes its drift at most every hour, and only while it is synchronized (chrony.conf(5), driftfile). */
const DRIFT_FILES = ['var/lib/chrony/chrony.drift', 'var/lib/chrony/drift'] as const;
const DRIFT_VALID_MS = 3 * 3_600_000;

/**
 * Reads whether the clock is synchronized. adjtimex(2), which knows, is among the calls that ProtectClock= denies to the
 * unit. A file of the card counts only if it was written since boot: the clock before that may have been any.
 *
 * @throws AgentError KERNEL_FILE_ABSENT if no time service is known
 */
export async function readClockSynchronized(kernel: KernelSource): Promise<Reading[]> {
  if ((await readAgeMs(kernel, TIMESYNC)) !== undefined)
    return toReadings((await readAgeMs(kernel, `${TIMESYNC}/synchronized`)) !== undefined);
  for (const file of DRIFT_FILES) {
    const ageMs = await readAgeMs(kernel, file);
    if (ageMs === undefined) continue;
    const uptimeMs = 1000 * parseUptime(await kernel.proc('uptime'));
    return toReadings(ageMs < Math.min(uptimeMs, DRIFT_VALID_MS));
  }
  throw new AgentError(`neither /${TIMESYNC} nor the drift of chrony can be seen`, { code: 'KERNEL_FILE_ABSENT' });
}

/** Undefined if the file is absent, or in a folder that this user may not enter, as chrony's by default. */
async function readAgeMs(kernel: KernelSource, file: string): Promise<number | undefined> {
  try {
    return await readOptional(kernel.host.ageMs(file), undefined);
  } catch (error) {
    if (error instanceof AgentError && error.code === 'KERNEL_FILE_UNREADABLE') return undefined;
    throw error;
  }
}

function toReadings(isSynchronized: boolean): Reading[] {
  return [{ series: synchronized, labels: {}, value: isSynchronized ? 1 : 0 }];
}
