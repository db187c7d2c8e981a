import { createCgroupTexts } from './simulated-cgroups.ts';
import { createInterfaceTexts, createNetworkProcTexts } from './simulated-network.ts';
import { createProcessTexts } from './simulated-processes.ts';
import { computeCount, computeValue, type SimulatedText } from './simulated-values.ts';

/** How many of each part a simulated device has; `zones` are thermal zones. */
export interface DeviceSize {
  readonly cores: number;
  readonly disks: number;
  readonly interfaces: number;
  readonly zones: number;
}

/** USER_HZ, the unit of /proc/stat. */
const TICKS_PER_SECOND = 100;
const MEM_TOTAL_KB = 3_915_276;
const SWAP_TOTAL_KB = 1_048_572;
/** Cores of a cluster have one clock. */
const CORES_PER_POLICY = 4;

const OPEN_FILES = { mean: 1_344, swing: 0.1, periodS: 300 };

/** Creates every file below /proc, by its path. */
export function createProcTexts({ cores, disks, interfaces }: DeviceSize): Map<string, SimulatedText> {
  return new Map<string, SimulatedText>([
    ['stat', (uptimeS) => formatStat(uptimeS, cores)],
    ['meminfo', formatMeminfo],
    ['diskstats', (uptimeS) => formatDiskstats(uptimeS, listDiskNames(disks))],
    ...createNetworkProcTexts(interfaces),
    ['loadavg', (uptimeS) => formatLoadavg(uptimeS, cores)],
    ['uptime', (uptimeS) => formatUptime(uptimeS, cores)],
    ['pressure/cpu', (uptimeS) => formatPressure(uptimeS, { some: 0.04, full: 0 })],
    ['pressure/memory', (uptimeS) => formatPressure(uptimeS, { some: 0.002, full: 0.001 })],
    ['pressure/io', (uptimeS) => formatPressure(uptimeS, { some: 0.02, full: 0.015 })],
    ['vmstat', () => 'nr_free_pages 326214\noom_kill 0\n'],
    ['sys/kernel/random/entropy_avail', () => '256\n'],
    ['sys/fs/file-nr', (uptimeS) => `${Math.round(computeValue(uptimeS, OPEN_FILES))}\t0\t391527\n`],
    ['net/softnet_stat', (uptimeS) => formatSoftnet(uptimeS, cores)],
    ['net/snmp', formatSnmp],
    ['self/mountinfo', formatMountinfo],
    // No boot_id: an invented one would be the same for all boots, while the clock is real.
    ['sys/kernel/osrelease', () => '6.1.0-simulated\n'],
    ['sys/kernel/arch', () => 'aarch64\n'],
    ...createProcessTexts(),
  ]);
}

/** Creates every file below /sys, by its path. */
export function createSysTexts({ cores, disks, interfaces, zones }: DeviceSize): Map<string, SimulatedText> {
  const texts = createInterfaceTexts(interfaces);
  const always = (path: string, text: string | number) => texts.set(path, () => `${text}\n`);
  for (const disk of ['loop0', ...listDiskNames(disks)]) always(`block/${disk}/queue/logical_block_size`, 512);
  for (const disk of listDiskNames(disks).slice(1)) always(`block/${disk}/device/ioerr_cnt`, '0x0');
  always('fs/ext4/mmcblk0p2/errors_count', 0);
  always('class/power_supply/ac/online', 1);
  always('firmware/devicetree/base/model', 'Simulated Device');
  always('block/mmcblk0/device/type', 'MMC');
  always('block/mmcblk0/device/name', 'SIMUL8');
  always('block/mmcblk0/device/life_time', '0x02 0x01');
  always('block/mmcblk0/device/pre_eol_info', '0x01');
  for (let zone = 0; zone < zones; zone++) {
    always(`class/thermal/thermal_zone${zone}/type`, ['soc-thermal', 'gpu-thermal'][zone] ?? `zone${zone}-thermal`);
    const warmth =
      zone === 0 ? { mean: 52, swing: 0.15, periodS: 240 } : { mean: 48, swing: 0.1, periodS: 330, phase: zone - 1 };
    texts.set(
      `class/thermal/thermal_zone${zone}/temp`,
      (uptimeS) => `${Math.round(1000 * computeValue(uptimeS, warmth))}\n`,
    );
  }
  for (const [path, text] of createCgroupTexts()) texts.set(path, text);
  always('class/thermal/cooling_device0/type', 'pwm-fan');
  always('class/thermal/cooling_device0/max_state', 4);
  texts.set(
    'class/thermal/cooling_device0/cur_state',
    (uptimeS) => `${Math.round(computeValue(uptimeS, { mean: 2, swing: 0.9, periodS: 240 }))}\n`,
  );
  for (let policy = 0; policy < cores; policy += CORES_PER_POLICY) {
    const path = `devices/system/cpu/cpufreq/policy${policy}`;
    always(`${path}/cpuinfo_max_freq`, 1_800_000);
    always(`${path}/scaling_max_freq`, 1_800_000);
    const clock = { mean: 1_104_000, swing: 0.6, periodS: 90, phase: policy };
    // In steps, as hardware has a table of clocks.
    texts.set(
      `${path}/scaling_cur_freq`,
      (uptimeS) => `${Math.round(computeValue(uptimeS, clock) / 24_000) * 24_000}\n`,
    );
  }
  return texts;
}

function listDiskNames(count: number): string[] {
  return [
    'mmcblk0',
    ...Array.from({ length: count - 1 }, (_, index) => `sd${String.fromCharCode('a'.charCodeAt(0) + index)}`),
  ];
}

/** The sum of the shares in `computeCoreTicks`. */
const BUSY_PERCENT = 26;

/** Returns user, nice, system, idle, iowait, irq, softirq, steal, guest and guest_nice of one core, in ticks. */
function computeCoreTicks(uptimeS: number, core: number): number[] {
  const load = { swing: 0.8, periodS: 90, phase: core };
  const share = (percent: number) => computeCount(uptimeS, { ...load, mean: (percent * TICKS_PER_SECOND) / 100 });
  // Idle time swings the other way, so that the ticks of a core add up to about one hundred a second.
  const idle = computeCount(uptimeS, {
    mean: ((100 - BUSY_PERCENT) * TICKS_PER_SECOND) / 100,
    swing: (load.swing * BUSY_PERCENT) / (100 - BUSY_PERCENT),
    periodS: load.periodS,
    phase: core + Math.PI,
  });
  return [share(15), share(1), share(7), idle, share(1), share(0.5), share(1.5), 0, 0, 0];
}

function formatStat(uptimeS: number, cores: number): string {
  const each = Array.from({ length: cores }, (_, core) => computeCoreTicks(uptimeS, core));
  const all = each.reduce((sum, ticks) => sum.map((value, mode) => value + (ticks[mode] ?? 0)));
  const lines = each.map((ticks, core) => `cpu${core} ${ticks.join(' ')}`);
  return `${[`cpu  ${all.join(' ')}`, ...lines, `intr ${computeCount(uptimeS, { mean: 800, swing: 0.5, periodS: 90 })} 0`, `ctxt ${computeCount(uptimeS, { mean: 1500, swing: 0.5, periodS: 90 })}`, `processes ${computeCount(uptimeS, { mean: 2, swing: 0.5, periodS: 90 })}`, 'procs_running 1', 'procs_blocked 0'].join('\n')}\n`;
}

function formatMeminfo(uptimeS: number): string {
  const availableKb = Math.round(computeValue(uptimeS, { mean: 0.6 * MEM_TOTAL_KB, swing: 0.1, periodS: 300 }));
  const swapUsedKb = Math.round(computeValue(uptimeS, { mean: 0.05 * SWAP_TOTAL_KB, swing: 0.5, periodS: 600 }));
  const amounts = {
    MemTotal: MEM_TOTAL_KB,
    MemFree: Math.round(availableKb / 3),
    MemAvailable: availableKb,
    Buffers: 60_416,
    Cached: Math.round(availableKb / 2),
    SwapTotal: SWAP_TOTAL_KB,
    SwapFree: SWAP_TOTAL_KB - swapUsedKb,
  };
  return Object.entries(amounts)
    .map(([name, kb]) => `${`${name}:`.padEnd(16)}${String(kb).padStart(8)} kB\n`)
    .join('');
}

function formatDiskstats(uptimeS: number, [card, ...others]: readonly string[]): string {
  const reads = computeCount(uptimeS, { mean: 3, swing: 0.9, periodS: 120 });
  const writes = computeCount(uptimeS, { mean: 12, swing: 0.6, periodS: 60 });
  // 64 sectors a read and 24 a write; all traffic is on the second partition.
  const done = `${reads} 0 ${reads * 64} ${reads} ${writes} 0 ${writes * 24} ${writes * 4}`;
  const traffic = `${done} 0 ${writes} ${writes * 5} 0 0 0 0 0 0`;
  const nothing = new Array<number>(17).fill(0).join(' ');
  const devices = [
    `7 0 loop0 ${nothing}`,
    `179 0 ${card} ${traffic}`,
    `179 1 ${card}p1 ${nothing}`,
    `179 2 ${card}p2 ${traffic}`,
    ...others.map((disk, index) => `8 ${16 * index} ${disk} ${traffic}`),
  ];
  return `${devices.join('\n')}\n`;
}

function formatLoadavg(uptimeS: number, cores: number): string {
  const load = { mean: (cores * BUSY_PERCENT) / 100, swing: 0.5 };
  const averages = [90, 300, 900].map((periodS) => computeValue(uptimeS, { ...load, periodS }).toFixed(2));
  return `${averages.join(' ')} 1/163 4242\n`;
}

function formatUptime(uptimeS: number, cores: number): string {
  const idleS = Array.from(
    { length: cores },
    (_, core) => (computeCoreTicks(uptimeS, core)[3] ?? 0) / TICKS_PER_SECOND,
  );
  return `${uptimeS.toFixed(2)} ${idleS.reduce((sum, one) => sum + one, 0).toFixed(2)}\n`;
}

/** `shares` are the shares of the time in which tasks are stalled; the averages are not simulated. */
function formatPressure(uptimeS: number, shares: Readonly<Record<'some' | 'full', number>>): string {
  const line = (kind: 'some' | 'full') => {
    const microseconds = computeCount(uptimeS, { mean: shares[kind] * 1_000_000, swing: 0.9, periodS: 90 });
    return `${kind} avg10=0.00 avg60=0.00 avg300=0.00 total=${microseconds}\n`;
  };
  return line('some') + line('full');
}

function formatSoftnet(uptimeS: number, cores: number): string {
  const each = Array.from({ length: cores }, (_, core) =>
    computeCount(uptimeS, { mean: 20, swing: 0.5, periodS: 90, phase: core }),
  );
  const rest = ' 00000000'.repeat(12);
  return each.map((received) => `${(received % 2 ** 32).toString(16).padStart(8, '0')}${rest}\n`).join('');
}

function formatSnmp(uptimeS: number): string {
  const sent = computeCount(uptimeS, { mean: 60, swing: 0.7, periodS: 75 });
  return `Tcp: RtoAlgorithm MaxConn OutSegs RetransSegs\nTcp: 1 -1 ${sent} ${Math.floor(sent / 500)}\n`;
}

function formatMountinfo(): string {
  return [
    '26 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw',
    '27 26 0:21 / /proc rw,relatime shared:2 - proc proc rw',
    '28 26 0:22 / /sys rw,relatime shared:3 - sysfs sysfs rw',
    '31 26 179:1 / /boot/firmware rw,relatime shared:4 - vfat /dev/mmcblk0p1 rw',
    '',
  ].join('\n');
}
