import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { AgentError } from '@thugshells/shared/errors.ts';
import { KERNEL_COLLECTOR_NAMES, type KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';

import type { Collector } from '../../../collector/src/collectors/collector.ts';
import { COLLECTORS, type CollectorOptions } from '../../../collector/src/collectors/table.ts';
import { extractReadings } from '../../../collector/src/collectors/readers/partial-result.ts';
import type { KernelSource } from '../../../collector/src/kernel/kernel-files.ts';
import { findRecording, indexByIdentity, readRecorded, RecordedKernel } from './text-kernel.ts';

/** Everything is reported, so that no filter hides a corrupt file. */
export const REPORT_EVERYTHING: CollectorOptions = {
  networkInclude: [],
  networkExclude: [],
  networkMaxInterfaces: 1000,
  diskInclude: [],
  diskExclude: [],
  diskSectorBytes: 512,
  filesystemInclude: [],
  filesystemExclude: [],
  services: ['encoder.service'],
  processes: ['node'],
};
/** Time between the two moments of the recording. */
const BETWEEN_MS = 12_980;

/** Interfaces of another device, with the routes and the radio of a moment of it, a unit and a process. */
function readGatewayFiles(): Readonly<Record<string, string>> {
  const read = (path: string) => readRecorded(path, 'raspberry-pi-4');
  const interfaces = ['eth0', 'wlan0'].flatMap((name) =>
    ['uevent', 'type', 'operstate', 'carrier_changes'].map((file) => `sys/class/net/${name}/${file}`),
  );
  const wired = ['speed', 'duplex'].map((file) => `sys/class/net/eth0/${file}`);
  const modem = ['uevent', 'type', 'operstate', 'carrier', 'carrier_changes'].map(
    (file) => `sys/class/net/wwan0/${file}`,
  );
  const units = ['cgroup.events', 'cpu.stat', 'memory.current', 'memory.events', 'pids.current', 'io.stat'].map(
    (file) => `sys/fs/cgroup/encoder.slice/encoder.service/${file}`,
  );
  const tables = ['proc', 'proc-later'].flatMap((moment) =>
    ['route', 'ipv6_route', 'wireless'].map((file) => `${moment}/net/${file}`),
  );
  const processes = ['proc', 'proc-later'].flatMap((moment) =>
    ['1/stat', '1/cmdline', '713/stat', '713/status', '713/cmdline', '713/fd/0'].map((file) => `${moment}/${file}`),
  );
  return {
    ...Object.fromEntries(
      [...interfaces, ...wired, ...modem, ...units, ...tables, ...processes].map((path) => [path, read(path)]),
    ),
    'sys/fs/cgroup/cgroup.controllers': read('sys/fs/cgroup/cgroup.controllers'),
    'proc-later/net/ipv6_route': read('proc-later/net/ipv6_route').replace('wwan0', ' eth0'),
    'proc-later/net/wireless': read('proc-later/net/wireless').replace('-256', '-95.'),
  };
}

/** Files of hardware that no recorded device has, in the form that the kernel documents. */
const MORE_HARDWARE: Readonly<Record<string, string>> = {
  'proc/pressure/irq': 'full avg10=0.00 avg60=0.02 avg300=0.00 total=8130\n',
  'proc-later/pressure/irq': 'full avg10=0.05 avg60=0.02 avg300=0.00 total=8494\n',
  'sys/block/mmcblk0/device/life_time': '0x02 0x01\n',
  'sys/block/mmcblk0/device/pre_eol_info': '0x01\n',
  'sys/class/thermal/cooling_device4/type': 'pwm-fan\n',
  'sys/class/thermal/cooling_device4/cur_state': '2\n',
  'sys/class/thermal/cooling_device4/max_state': '4\n',
  'sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count': '3\n',
  'sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count': '5\n',
  'sys/devices/platform/soc/soc:firmware/get_throttled': '50005\n',
  ...readGatewayFiles(),
  'proc/vmstat': 'nr_free_pages 41722\npgpgin 901233\noom_kill 2\n',
  'proc-later/vmstat': 'nr_free_pages 41011\npgpgin 901300\noom_kill 3\n',
  'proc/sys/kernel/random/entropy_avail': '256\n',
  'proc-later/sys/kernel/random/entropy_avail': '256\n',
  'proc/sys/fs/file-nr': '1344\t0\t391527\n',
  'proc-later/sys/fs/file-nr': '1376\t0\t391527\n',
  'proc/sys/net/netfilter/nf_conntrack_count': '41\n',
  'proc-later/sys/net/netfilter/nf_conntrack_count': '43\n',
  'proc/sys/net/netfilter/nf_conntrack_max': '65536\n',
  'proc-later/sys/net/netfilter/nf_conntrack_max': '65536\n',
  'proc/net/softnet_stat':
    '0000272d 00000003 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n0000272d 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n',
  'proc-later/net/softnet_stat':
    '0000272d 0000000a 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n0000272d 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000\n',
  'proc/net/snmp':
    'Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\nTcp: 1 200 120000 -1 48 12 3 1 4 90211 88012 140 0 22 0\n',
  'proc-later/net/snmp':
    'Ip: Forwarding DefaultTTL\nIp: 2 64\nTcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\nTcp: 1 200 120000 -1 48 12 3 1 4 90211 88102 151 0 22 0\n',
  'sys/block/sda/device/ioerr_cnt': '0x2\n',
  ...Object.fromEntries(
    Object.entries({ type: 'SD', name: 'SC32G', manfid: '0x000003', oemid: '0x5344', date: '03/2021' }).map(
      ([file, text]) => [`sys/block/mmcblk0/device/${file}`, `${text}\n`],
    ),
  ),
  'sys/block/sda/device/vendor': 'ATA     \n',
  'sys/block/sda/device/model': 'Samsung SSD 870 \n',
  'sys/fs/ext4/mmcblk0p2/errors_count': '3\n',
  'sys/class/power_supply/ac/online': '1\n',
  'sys/class/power_supply/axp20x-battery/capacity': '87\n',
  'sys/class/power_supply/axp20x-battery/status': 'Discharging\n',
  'sys/class/power_supply/axp20x-battery/voltage_now': '3912000\n',
  'sys/class/power_supply/axp20x-battery/current_now': '-412000\n',
  'sys/class/power_supply/axp20x-battery/power_now': '1611000\n',
  'sys/firmware/devicetree/base/model': 'Raspberry Pi 4 Model B Rev 1.4\0',
  'proc/sys/kernel/arch': 'aarch64\n',
  'proc-later/sys/kernel/arch': 'aarch64\n',
  'host/etc/os-release': 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nID=debian\n',
  'host/etc/timezone': 'Europe/Berlin\n',
};

/** The readings of a collector by identity, and its error. */
export interface CollectorOutcome {
  readonly readings: Readonly<Record<string, number | string>>;
  /** The message of the error; empty if there was none. */
  readonly failure: string;
}
export type OutcomesByCollector = Readonly<Record<KernelCollectorName, CollectorOutcome>>;

/** A folder with the files of a device that has every source of every collector; tests corrupt them. */
export class CorruptibleDevice {
  readonly folder: string;

  constructor(folder: string) {
    this.folder = folder;
    for (const device of ['raspberry-pi-3b', 'x86-board'] as const) {
      for (const part of device === 'x86-board' ? ['proc', 'proc-later', 'sys'] : ['sys']) {
        cpSync(join(findRecording(device), part), join(folder, part), { recursive: true });
      }
    }
    // The Raspberry Pi's only chip mirrors its thermal zone, and would hide that of the other device.
    rmSync(join(folder, 'sys/class/hwmon/hwmon0/device'), { recursive: true });
    for (const [path, text] of Object.entries(MORE_HARDWARE)) this.write(path, text);
  }

  /** Lists every file that is read at the second scrape, relative to the folder. */
  files(): string[] {
    const below = (directory: string): string[] =>
      readdirSync(join(this.folder, directory), { withFileTypes: true }).flatMap((entry) =>
        entry.isDirectory() ? below(join(directory, entry.name)) : [join(directory, entry.name)],
      );
    return [...below('proc-later'), ...below('sys'), ...below('host')].sort();
  }

  text(path: string): string {
    return readFileSync(join(this.folder, path), 'utf8');
  }

  /** Replaces a file, or whatever has its path. */
  write(path: string, text: string): void {
    this.remove(path);
    mkdirSync(dirname(join(this.folder, path)), { recursive: true });
    writeFileSync(join(this.folder, path), text);
  }

  remove(path: string): void {
    rmSync(join(this.folder, path), { recursive: true, force: true });
  }

  makeDirectory(path: string): void {
    this.remove(path);
    mkdirSync(join(this.folder, path));
  }

  /** Makes reads of a file fail with EIO, for root too: the memory of a process cannot be read from address 0. */
  makeUnreadable(path: string): void {
    this.remove(path);
    symlinkSync('/proc/self/mem', join(this.folder, path));
  }

  /** Lets all collectors scrape the files of both moments; returns the outcomes of the second scrape. */
  async read(): Promise<OutcomesByCollector> {
    let kernel = new RecordedKernel('', 'x86-board', this.folder);
    const source: KernelSource = {
      proc: (path) => kernel.proc(path),
      sys: (path) => kernel.sys(path),
      procEntries: (path) => kernel.procEntries(path),
      procEntryCount: (path) => kernel.procEntryCount(path),
      sysEntries: (path) => kernel.sysEntries(path),
      sysLink: (path) => kernel.sysLink(path),
      sysInode: (path) => kernel.sysInode(path),
      statfs: (path, kind) => kernel.statfs(path, kind),
      get host() {
        return kernel.host;
      },
    };
    const collectors = KERNEL_COLLECTOR_NAMES.map((name) =>
      COLLECTORS[name].create({ kernel: source, options: REPORT_EVERYTHING }),
    );
    for (const collector of collectors) await collectOutcome(collector, 0);
    kernel = new RecordedKernel('-later', 'x86-board', this.folder);
    const outcomes: [string, CollectorOutcome][] = [];
    for (const collector of collectors) outcomes.push([collector.name, await collectOutcome(collector, BETWEEN_MS)]);
    return Object.fromEntries(outcomes) as OutcomesByCollector;
  }
}

async function collectOutcome(collector: Collector, monotonicMs: number): Promise<CollectorOutcome> {
  try {
    return { readings: indexByIdentity(await collector.collect({ monotonicMs })), failure: '' };
  } catch (error) {
    if (!(error instanceof AgentError)) throw error;
    return { readings: indexByIdentity(extractReadings(error)), failure: error.message };
  }
}
