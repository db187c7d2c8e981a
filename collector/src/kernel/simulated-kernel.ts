import { toKernelFileError, type KernelSource, type FileSystemSpace } from './kernel-files.ts';
import {
  createProcTexts,
  createSysTexts,
  computeValue,
  type DeviceSize,
  type Swing,
  type SimulatedText,
} from './simulated-texts.ts';

/** What a simulated board is made from. */
export interface SimulatedKernelOptions extends Partial<DeviceSize> {
  /** Milliseconds since the simulation began: at least 0 and never going back. All text follows from it. */
  readonly elapsedMs: () => number;
}

/** What a board has unless told; at least one core, one disk and two interfaces. */
const SMALL_BOARD: DeviceSize = { cores: 4, disks: 1, interfaces: 2, zones: 2 };

/** The board has been up for an hour when the simulation begins, so that counters start with something in them. */
const UPTIME_AT_START_S = 3600;

/**
 * A small board for platforms without /proc: the same door with moving, repeatable text behind it, in the kernel's own
 * formats, so that everything behind the door runs as it does on a board. Its values mean nothing.
 */
export class SimulatedKernel implements KernelSource {
  readonly #elapsedMs: () => number;
  readonly #proc: ReadonlyMap<string, SimulatedText>;
  readonly #sys: ReadonlyMap<string, SimulatedText>;

  constructor({ elapsedMs, ...size }: SimulatedKernelOptions) {
    this.#elapsedMs = elapsedMs;
    this.#proc = createProcTexts({ ...SMALL_BOARD, ...size });
    this.#sys = createSysTexts({ ...SMALL_BOARD, ...size });
  }

  async proc(relativePath: string): Promise<string> {
    const text = this.#proc.get(relativePath);
    if (text === undefined) throw createAbsentError(`/proc/${relativePath}`);
    return text(this.#uptimeS());
  }

  async sys(relativePath: string): Promise<string> {
    const text = this.#sys.get(relativePath);
    if (text === undefined) throw createAbsentError(`/sys/${relativePath}`);
    return text(this.#uptimeS());
  }

  async sysEntries(relativeDirectory: string): Promise<readonly string[]> {
    const prefix = `${relativeDirectory}/`;
    const below = [...this.#sys.keys()].filter((path) => path.startsWith(prefix));
    if (below.length === 0) throw createAbsentError(`/sys/${relativeDirectory}`);
    return [...new Set(below.map((path) => path.slice(prefix.length).split('/')[0] as string))].sort();
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

/** What stands in the simulated `self/mountinfo`, and the share of it in use. */
const fileSystems: ReadonlyMap<string, { readonly sizeBytes: number; readonly files: number; readonly used: Swing }> =
  new Map([
    ['/', { sizeBytes: 30_601_641_984, files: 1_871_424, used: { mean: 0.4, swing: 0.02, periodS: 3600 } }],
    ['/boot/firmware', { sizeBytes: 267_382_784, files: 0, used: { mean: 0.2, swing: 0, periodS: 3600 } }],
  ]);

/** What the real door answers for a file that is not there. */
function createAbsentError(path: string): Error {
  return toKernelFileError(path, Object.assign(new Error('the simulated kernel has no such file'), { code: 'ENOENT' }));
}
