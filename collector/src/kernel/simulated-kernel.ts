import type { HostSource } from './host-files.ts';
import { toKernelFileError } from './kernel-file-errors.ts';
import type { KernelSource, FileSystemSpace } from './kernel-files.ts';
import { createProcTexts, createSysTexts, type DeviceSize } from './simulated-texts.ts';
import { computeValue, type SimulatedText, type Swing } from './simulated-values.ts';

/** Options of a simulated device. */
export interface SimulatedKernelOptions extends Partial<DeviceSize> {
  /** Milliseconds since the simulation began: at least 0 and never decreasing. All texts are functions of it. */
  readonly elapsedMs: () => number;
}

/** The default size; at least one core, one disk and two interfaces. */
const DEFAULT_SIZE: DeviceSize = { cores: 4, disks: 1, interfaces: 2, zones: 2 };

/** The only link that is simulated: wired interfaces are hardware, and have a driver. */
const ETHERNET_DRIVER = /^class\/net\/eth[0-9]+\/device\/driver$/;

/** The device has been up for an hour when the simulation begins, so that its counters are not 0. */
const UPTIME_AT_START_S = 3600;

/** The file systems of the simulated `self/mountinfo`, and the share of each that is in use. */
const fileSystems: ReadonlyMap<string, { readonly sizeBytes: number; readonly files: number; readonly used: Swing }> =
  new Map([
    ['/', { sizeBytes: 30_601_641_984, files: 1_871_424, used: { mean: 0.4, swing: 0.02, periodS: 3600 } }],
    ['/boot/firmware', { sizeBytes: 267_382_784, files: 0, used: { mean: 0.2, swing: 0, periodS: 3600 } }],
  ]);

/**
 * A simulated device for platforms without /proc: the same interface, with texts in the kernel's formats that change
 * with time and are repeatable, so that all collectors run as on Linux. The values are invented.
 */
export class SimulatedKernel implements KernelSource {
  readonly #elapsedMs: () => number;
  readonly #proc: ReadonlyMap<string, SimulatedText>;
  readonly #sys: ReadonlyMap<string, SimulatedText>;

  constructor({ elapsedMs, ...size }: SimulatedKernelOptions) {
    this.#elapsedMs = elapsedMs;
    this.#proc = createProcTexts({ ...DEFAULT_SIZE, ...size });
    this.#sys = createSysTexts({ ...DEFAULT_SIZE, ...size });
  }

  async proc(relativePath: string): Promise<string> {
    const text = this.#proc.get(relativePath);
    if (text === undefined) throw createAbsentError(`/proc/${relativePath}`);
    return text(this.#uptimeS());
  }

  async procEntries(relativeDirectory: string): Promise<readonly string[]> {
    return listEntries(this.#proc, 'proc', relativeDirectory);
  }

  async procEntryCount(relativeDirectory: string): Promise<number> {
    return listEntries(this.#proc, 'proc', relativeDirectory).length;
  }

  async sys(relativePath: string): Promise<string> {
    const text = this.#sys.get(relativePath);
    if (text === undefined) throw createAbsentError(`/sys/${relativePath}`);
    return text(this.#uptimeS());
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    return listEntries(this.#sys, 'sys', relativeDirectory);
  }

  async sysLink(relativePath: string): Promise<string | undefined> {
    return ETHERNET_DRIVER.test(relativePath) ? 'bus/platform/drivers/stmmaceth' : undefined;
  }

  /** The operating system is invented too, and no time service runs on it. */
  readonly host: HostSource = {
    text: async (path) => {
      if (path === 'etc/os-release') return 'PRETTY_NAME="Simulated Linux"\n';
      throw createAbsentError(`/${path}`);
    },
    link: async () => undefined,
    ageMs: (path) => Promise.reject(createAbsentError(`/${path}`)),
  };

  async sysInode(relativeDirectory: string): Promise<number> {
    await this.sysEntries(relativeDirectory);
    return 1;
  }

  async statfs(mountpoint: string): Promise<FileSystemSpace> {
    const fileSystem = fileSystems.get(mountpoint);
    if (fileSystem === undefined) throw createAbsentError(mountpoint);
    const { sizeBytes, used, files } = fileSystem;
    const free = 1 - computeValue(this.#uptimeS(), used);
    return { sizeBytes, availableBytes: Math.round(sizeBytes * free), files, filesFree: Math.round(files * free) };
  }

  #uptimeS(): number {
    return UPTIME_AT_START_S + this.#elapsedMs() / 1000;
  }
}

function listEntries(texts: ReadonlyMap<string, SimulatedText>, root: string, directory: string): string[] {
  const prefix = directory === '' ? '' : `${directory}/`;
  const below = [...texts.keys()].filter((path) => path.startsWith(prefix));
  if (below.length === 0) throw createAbsentError(`/${root}/${directory}`);
  return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] as string))].sort();
}

/** Creates the error that the real kernel's adapter throws for a file that does not exist. */
function createAbsentError(path: string): Error {
  return toKernelFileError(path, Object.assign(new Error('the simulated kernel has no such file'), { code: 'ENOENT' }));
}
