import { join } from 'node:path';

import { KERNEL_COLLECTOR_NAMES } from '@thugshells/shared/metrics/collector-names.ts';

import { parseUptime } from '../../../collector/src/collectors/readers/uptime.ts';
import { COLLECTORS } from '../../../collector/src/collectors/table.ts';
import { collectOnce } from '../../../collector/src/commands/once.ts';
import { loadCollectorConfig } from '../../../shared/src/config/collector-config.ts';
import type { KernelSource } from '../../../collector/src/kernel/kernel-files.ts';
import { SeriesLimit } from '../../../collector/src/scheduling/series-limit.ts';
import { readRecorded, RecordedKernel, type RecordedDevice } from './text-kernel.ts';

/** The golden output: what all collectors return of a recorded device, as `once` prints it with the defaults. */

const NOW = 1_700_000_000_000;

/** Returns the path of a device's golden file. */
export function findGolden(device: RecordedDevice): string {
  return join(import.meta.dirname, `../../golden/${device}.jsonl`);
}

/** Reads the two moments of a recording with all collectors; returns their sorted lines and what failed. */
export async function collectGolden(
  device: RecordedDevice,
): Promise<{ readonly lines: string; readonly failures: readonly string[] }> {
  let moment = new RecordedKernel('', device);
  let monotonicMs = 0;
  const kernel: KernelSource = {
    proc: (path) => moment.proc(path),
    sys: (path) => moment.sys(path),
    procEntries: (path) => moment.procEntries(path),
    procEntryCount: (path) => moment.procEntryCount(path),
    sysEntries: (path) => moment.sysEntries(path),
    sysLink: (path) => moment.sysLink(path),
    sysInode: (path) => moment.sysInode(path),
    statfs: (path, kind) => moment.statfs(path, kind),
    get host() {
      return moment.host;
    },
  };
  const clock = {
    now: () => NOW,
    sinceBoot: () => 0,
    monotonic: () => monotonicMs,
    sleep: async () => {
      monotonicMs = findMsBetweenMoments(device);
      moment = new RecordedKernel('-later', device);
    },
  };
  const { values: options } = loadCollectorConfig({
    THUGSHELLS_PROCESSES: 'node gst-launch-1.0-camera worker sshd absent',
    THUGSHELLS_SERVICES: 'encoder.service ssh.service camera@1.service encoder.slice absent.service',
  });
  const collectors = KERNEL_COLLECTOR_NAMES.map((name) => COLLECTORS[name].create({ kernel, options, build: '0.0.0' }));
  const { lines, failures } = await collectOnce(collectors, {
    clock,
    deviceId: device,
    remoteProtocol: 'victoriametrics',
    labels: {},
    seriesLimit: new SeriesLimit({ perCollector: 1000, total: 5000 }),
  });
  return { lines: `${lines.trimEnd().split('\n').sort().join('\n')}\n`, failures };
}

/** By the monotonic clock of the device. */
function findMsBetweenMoments(device: RecordedDevice): number {
  const readUptimeS = (moment: string) => parseUptime(readRecorded(`proc${moment}/uptime`, device));
  return Math.round((readUptimeS('-later') - readUptimeS('')) * 1000);
}

/**
 * Compares two texts of golden lines. Returns one line for each series that is gone (`-`), new (`+`) or has another
 * value (`~`), sorted by series.
 */
export function compareGolden(before: string, after: string): string[] {
  const [old, renewed] = [parseGolden(before), parseGolden(after)];
  const identities = [...new Set([...old.keys(), ...renewed.keys()])].sort();
  return identities.flatMap((identity) => {
    const [was, is] = [old.get(identity), renewed.get(identity)];
    if (was === is) return [];
    if (was === undefined) return [`+ ${identity} ${is}`];
    return [is === undefined ? `- ${identity} ${was}` : `~ ${identity} ${was} → ${is}`];
  });
}

/** Values by series, without the device: all lines of a file have the same one. */
function parseGolden(lines: string): Map<string, string> {
  const parsed = lines.split('\n').filter((line) => line !== '');
  return new Map(
    parsed.map((line) => {
      const { metric, values } = JSON.parse(line) as { metric: Record<string, string>; values: number[] };
      const { __name__: name, device_id: _, ...labels } = metric;
      const pairs = Object.entries(labels).map(([label, value]) => `${label}=${JSON.stringify(value)}`);
      return [pairs.length === 0 ? `${name}` : `${name}{${pairs.join(',')}}`, values.join(' ')];
    }),
  );
}
