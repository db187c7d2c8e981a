import { kernelFileFault, type KernelSource, type Space } from './kernel-files.js';

/** What a simulated board is made from. */
export interface SimulatedBoard {
  /** Milliseconds since the simulation began: at least 0 and never going back. All text follows from it. */
  readonly elapsedMs: () => number;
  /** How many cores the board has; 4 unless told. */
  readonly cores?: number;
}

/** The text of a file by the seconds that the board has been up. */
type TextAt = (uptimeS: number) => string;

/** The board has been up for an hour when the simulation begins, so that counters start with something in them. */
const UPTIME_AT_START_S = 3600;
/** USER_HZ, the unit of /proc/stat. */
const TICKS_PER_SECOND = 100;
const MEM_TOTAL_KB = 3_915_276;
const SWAP_TOTAL_KB = 1_048_572;

/**
 * A small board for platforms without /proc: the same door with moving, repeatable text behind it, in the kernel's own
 * formats, so that everything behind the door runs as it does on a board. Its values mean nothing.
 */
export class SimulatedKernel implements KernelSource {
  readonly #elapsedMs: () => number;
  readonly #proc: ReadonlyMap<string, TextAt>;

  constructor({ elapsedMs, cores = 4 }: SimulatedBoard) {
    this.#elapsedMs = elapsedMs;
    this.#proc = new Map<string, TextAt>([
      ['stat', (uptimeS) => statText(uptimeS, cores)],
      ['meminfo', meminfoText],
      ['diskstats', diskstatsText],
      ['net/dev', netDevText],
      ['loadavg', (uptimeS) => loadavgText(uptimeS, cores)],
      ['uptime', (uptimeS) => uptimeText(uptimeS, cores)],
      ['pressure/cpu', (uptimeS) => pressureText(uptimeS, { some: 0.04, full: 0 })],
      ['pressure/memory', (uptimeS) => pressureText(uptimeS, { some: 0.002, full: 0.001 })],
      ['pressure/io', (uptimeS) => pressureText(uptimeS, { some: 0.02, full: 0.015 })],
      ['self/mountinfo', mountinfoText],
    ]);
  }

  async proc(relativePath: string): Promise<string> {
    const text = this.#proc.get(relativePath);
    if (text === undefined) throw noSuchFile(`/proc/${relativePath}`);
    return text(this.#uptimeS());
  }

  async sys(relativePath: string): Promise<string> {
    const text = sysFiles.get(relativePath);
    if (text === undefined) throw noSuchFile(`/sys/${relativePath}`);
    return text(this.#uptimeS());
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const prefix = `${relativeDirectory}/`;
    const below = [...sysFiles.keys()].filter((path) => path.startsWith(prefix));
    if (below.length === 0) throw noSuchFile(`/sys/${relativeDirectory}`);
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] as string))].sort();
  }

  async statfs(mountpoint: string): Promise<Space> {
    const fileSystem = fileSystems.get(mountpoint);
    if (fileSystem === undefined) throw noSuchFile(mountpoint);
    const { sizeBytes, used } = fileSystem;
    return { sizeBytes, availableBytes: sizeBytes - Math.round(sizeBytes * valueAt(this.#uptimeS(), used)) };
  }

  #uptimeS(): number {
    return UPTIME_AT_START_S + this.#elapsedMs() / 1000;
  }
}

const thousandths = (swing: Swing): TextAt => (uptimeS) => `${Math.round(1000 * valueAt(uptimeS, swing))}\n`;
const sysFiles: ReadonlyMap<string, TextAt> = new Map<string, TextAt>([
  ['block/loop0/queue/logical_block_size', () => '512\n'],
  ['block/mmcblk0/queue/logical_block_size', () => '512\n'],
  ['class/thermal/thermal_zone0/type', () => 'soc-thermal\n'],
  ['class/thermal/thermal_zone0/temp', thousandths({ mean: 52, swing: 0.15, periodS: 240 })],
  ['class/thermal/thermal_zone1/type', () => 'gpu-thermal\n'],
  ['class/thermal/thermal_zone1/temp', thousandths({ mean: 48, swing: 0.1, periodS: 330 })],
]);

/** What stands in `self/mountinfo` below, and the share of it in use. */
const fileSystems: ReadonlyMap<string, { readonly sizeBytes: number; readonly used: Swing }> = new Map([
  ['/', { sizeBytes: 30_601_641_984, used: { mean: 0.4, swing: 0.02, periodS: 3600 } }],
  ['/boot/firmware', { sizeBytes: 267_382_784, used: { mean: 0.2, swing: 0, periodS: 3600 } }],
]);

/** What the real door answers for a file that is not there. */
function noSuchFile(path: string): Error {
  return kernelFileFault(path, Object.assign(new Error('the simulated kernel has no such file'), { code: 'ENOENT' }));
}

/** Something that swings around its mean; the swing is a share of the mean, below 1. */
interface Swing {
  readonly mean: number;
  readonly swing: number;
  readonly periodS: number;
  readonly phase?: number;
}

function valueAt(uptimeS: number, { mean, swing, periodS, phase = 0 }: Swing): number {
  return mean * (1 + swing * Math.sin((2 * Math.PI * uptimeS) / periodS + phase));
}

/** The integral of `valueAt` from boot on, in closed form: a counter that rises at that rate and never falls. */
function countAt(uptimeS: number, { mean, swing, periodS, phase = 0 }: Swing): number {
  const angle = (2 * Math.PI * uptimeS) / periodS + phase;
  return Math.floor(mean * (uptimeS + ((swing * periodS) / (2 * Math.PI)) * (Math.cos(phase) - Math.cos(angle))));
}

/** What the shares below add up to. */
const BUSY_PERCENT = 26;

/** user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice of one core, in ticks. */
function coreTicks(uptimeS: number, core: number): number[] {
  const load = { swing: 0.8, periodS: 90, phase: core };
  const share = (percent: number) => countAt(uptimeS, { ...load, mean: (percent * TICKS_PER_SECOND) / 100 });
  // Idle time swings the other way, so that every core's ticks add up to about one hundred a second.
  const idle = countAt(uptimeS, {
    mean: ((100 - BUSY_PERCENT) * TICKS_PER_SECOND) / 100,
    swing: (load.swing * BUSY_PERCENT) / (100 - BUSY_PERCENT),
    periodS: load.periodS,
    phase: core + Math.PI,
  });
  return [share(15), share(1), share(7), idle, share(1), share(0.5), share(1.5), 0, 0, 0];
}

function statText(uptimeS: number, cores: number): string {
  const each = Array.from({ length: cores }, (_, core) => coreTicks(uptimeS, core));
  const all = each.reduce((sum, ticks) => sum.map((value, mode) => value + (ticks[mode] ?? 0)));
  const lines = each.map((ticks, core) => `cpu${core} ${ticks.join(' ')}`);
  return `${[`cpu  ${all.join(' ')}`, ...lines, 'intr 0', 'ctxt 0', 'procs_running 1', 'procs_blocked 0'].join('\n')}\n`;
}

function meminfoText(uptimeS: number): string {
  const availableKb = Math.round(valueAt(uptimeS, { mean: 0.6 * MEM_TOTAL_KB, swing: 0.1, periodS: 300 }));
  const swapUsedKb = Math.round(valueAt(uptimeS, { mean: 0.05 * SWAP_TOTAL_KB, swing: 0.5, periodS: 600 }));
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

function diskstatsText(uptimeS: number): string {
  const reads = countAt(uptimeS, { mean: 3, swing: 0.9, periodS: 120 });
  const writes = countAt(uptimeS, { mean: 12, swing: 0.6, periodS: 60 });
  // A read of 64 and a write of 24 sectors on the mean; everything goes to the second partition.
  const done = `${reads} 0 ${reads * 64} ${reads} ${writes} 0 ${writes * 24} ${writes * 4}`;
  const traffic = `${done} 0 ${writes} ${writes * 5} 0 0 0 0 0 0`;
  const nothing = new Array<number>(17).fill(0).join(' ');
  const devices = [
    `7 0 loop0 ${nothing}`,
    `179 0 mmcblk0 ${traffic}`,
    `179 1 mmcblk0p1 ${nothing}`,
    `179 2 mmcblk0p2 ${traffic}`,
  ];
  return `${devices.join('\n')}\n`;
}

function netDevText(uptimeS: number): string {
  const columns = (rx: number, tx: number, dropped: number) =>
    `${rx * 700} ${rx} 0 ${dropped} 0 0 0 0 ${tx * 300} ${tx} 0 0 0 0 0 0`;
  const lo = countAt(uptimeS, { mean: 5, swing: 0, periodS: 60 });
  const received = countAt(uptimeS, { mean: 80, swing: 0.7, periodS: 75 });
  const sent = countAt(uptimeS, { mean: 60, swing: 0.7, periodS: 75 });
  return [
    'Inter-|   Receive                                                |  Transmit',
    ' face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed',
    `    lo: ${columns(lo, lo, 0)}`,
    `  eth0: ${columns(received, sent, Math.floor(uptimeS / 600))}`,
    ` wlan0: ${columns(0, 0, 0)}`,
    '',
  ].join('\n');
}

function loadavgText(uptimeS: number, cores: number): string {
  const load = { mean: (cores * BUSY_PERCENT) / 100, swing: 0.5 };
  const averages = [90, 300, 900].map((periodS) => valueAt(uptimeS, { ...load, periodS }).toFixed(2));
  return `${averages.join(' ')} 1/163 4242\n`;
}

function uptimeText(uptimeS: number, cores: number): string {
  const idleS = Array.from({ length: cores }, (_, core) => (coreTicks(uptimeS, core)[3] ?? 0) / TICKS_PER_SECOND);
  return `${uptimeS.toFixed(2)} ${idleS.reduce((sum, one) => sum + one, 0).toFixed(2)}\n`;
}

/** `shares` are those of the time in which tasks are stalled; the averages are not simulated. */
function pressureText(uptimeS: number, shares: Readonly<Record<'some' | 'full', number>>): string {
  const line = (kind: 'some' | 'full') => {
    const microseconds = countAt(uptimeS, { mean: shares[kind] * 1_000_000, swing: 0.9, periodS: 90 });
    return `${kind} avg10=0.00 avg60=0.00 avg300=0.00 total=${microseconds}\n`;
  };
  return line('some') + line('full');
}

function mountinfoText(): string {
  return [
    '26 1 179:2 / / rw,noatime shared:1 - ext4 /dev/mmcblk0p2 rw',
    '27 26 0:21 / /proc rw,relatime shared:2 - proc proc rw',
    '28 26 0:22 / /sys rw,relatime shared:3 - sysfs sysfs rw',
    '31 26 179:1 / /boot/firmware rw,relatime shared:4 - vfat /dev/mmcblk0p1 rw',
    '',
  ].join('\n');
}
