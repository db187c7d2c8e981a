import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { AgentPair, endpointOf } from './agent-pair.ts';
import type { AgentProcess } from './agent-process.ts';
import { query } from './promql.ts';
import { until } from './until.ts';
import type { VictoriaMetrics } from './victoria-metrics.ts';

/** The board that runs on the kernel of this machine. */
export const THIS_MACHINE = 'this-machine';

/**
 * Fills a server with what the real programs say of three boards: this machine, an x86 board with an eMMC, and a Raspberry
 * Pi, the latter two as they were recorded. Returns when the server has it all.
 */
export async function fillWithBoards(server: VictoriaMetrics): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'recorded-boards-'));
  const boards = { [THIS_MACHINE]: { PROCESSES: 'node' }, ...recordedBoards(folder) };
  const pairs = Object.entries(boards).map(([device, variables]) => pairFor(server, device, variables));
  try {
    const collectors: AgentProcess[] = [];
    for (const pair of pairs) {
      collectors.push(pair.start('collector'));
      await endpointOf(pair.start('uploader'));
    }
    const found = (text: string) =>
      until(
        `${text} is there`,
        async () => {
          await server.flush();
          return (await query(server.url, text)).length > 0;
        },
        120_000,
      );
    for (const device of Object.keys(boards)) {
      await found(`count_over_time(storage_oldest_pending_seconds{device_id="${device}"}[5m]) > 3`);
      await found(`increase(uploader_upload_duration_seconds_count{device_id="${device}"}[5m]) > 3`);
      await found(`time_skew_ms{device_id="${device}"}`);
    }
    await found('storage_wal_checkpoint_duration_seconds');
    await found('count_over_time(cpu_throttled[5m]) > 3');
    await found('count_over_time(disk_life_time_estimate[5m]) > 3');
    // What the uploader sends then is to be there too.
    await collectors[0]?.kill('SIGKILL');
    await found('uploader_component_status{component="collector"} == 2');
  } finally {
    for (const pair of pairs) await pair.remove();
    rmSync(folder, { recursive: true });
  }
}

function pairFor(server: VictoriaMetrics, device: string, variables: Readonly<Record<string, string>>): AgentPair {
  const pace = { SELF_INTERVAL: '1s', WAL_CHECKPOINT_INTERVAL: '5s' };
  return new AgentPair({ REMOTE_URL: `${server.url}/api/v1/import`, DEVICE_ID: device, ...pace, ...variables });
}

/** What others add to every recorded board: interfaces with their links, and supplies, disks and counters. */
const ADDED = [
  ['raspberry-pi-4', 'net'],
  ['orange-pi-5', ''],
] as const;

/** Where recorded boards lie, each with what its recording lacks since QEMU made it. */
function recordedBoards(folder: string): Readonly<Record<string, Readonly<Record<string, string>>>> {
  return {
    // An eMMC that tells how far it is worn: up to 20 % and up to 10 %, spare blocks as they should be.
    'x86-board': rootsWith(folder, 'x86-board', {
      'block/mmcblk0/device/life_time': '0x02 0x01',
      'block/mmcblk0/device/pre_eol_info': '0x01',
    }),
    // What the Raspberry Pi's own kernel has: under-voltage at the moment, and since the boot (bits 0 and 16).
    'raspberry-pi': rootsWith(folder, 'raspberry-pi-3b', {
      'devices/platform/soc/soc:firmware/get_throttled': '10001',
    }),
  };
}

function rootsWith(
  folder: string,
  board: string,
  files: Readonly<Record<string, string>>,
): Readonly<Record<string, string>> {
  const [procRoot, sysRoot] = [join(folder, board, 'proc'), join(folder, board, 'sys')];
  for (const [fixture, path] of [[board, ''], ...ADDED] as const) {
    const recorded = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url));
    cpSync(join(recorded, 'proc', path), join(procRoot, path), { recursive: true });
    cpSync(join(recorded, 'sys'), sysRoot, { recursive: true });
  }
  for (const [file, text] of Object.entries(files)) {
    mkdirSync(join(sysRoot, dirname(file)), { recursive: true });
    writeFileSync(join(sysRoot, file), `${text}\n`);
  }
  // Its time service has set the clock.
  const hostRoot = join(folder, board, 'host');
  mkdirSync(join(hostRoot, 'run/systemd/timesync'), { recursive: true });
  writeFileSync(join(hostRoot, 'run/systemd/timesync/synchronized'), '');
  return { PROC_ROOT: procRoot, SYS_ROOT: sysRoot, HOST_ROOT: hostRoot, SERVICES: 'encoder.service ssh.service' };
}
