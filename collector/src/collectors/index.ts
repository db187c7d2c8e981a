import type { Collector } from '../collector.js';
import type { KernelSource } from '../kernel-files.js';
import { CpuCollector } from './cpu.js';
import { DiskCollector, type DiskOptions } from './disk.js';
import { FilesystemCollector } from './filesystem.js';
import { LoadCollector } from './load.js';
import { MemoryCollector } from './memory.js';
import { NetworkCollector, type NetworkOptions } from './network.js';
import { PressureCollector } from './pressure.js';
import { TemperatureCollector } from './temperature.js';

/** What the configuration says to collectors; every list holds regular expressions that must match a whole name. */
export interface CollectorOptions {
  /** Empty: every interface. */
  readonly networkInclude: NetworkOptions['include'];
  /** Wins over `networkInclude`. */
  readonly networkExclude: NetworkOptions['exclude'];
  readonly networkMaxInterfaces: NetworkOptions['maxInterfaces'];
  /** Empty: every whole device. */
  readonly diskInclude: DiskOptions['include'];
  /** Wins over `diskInclude`. */
  readonly diskExclude: DiskOptions['exclude'];
  readonly diskSectorBytes: DiskOptions['sectorBytes'];
}

/** What a collector is made from. */
export interface CollectorParts {
  readonly kernel: KernelSource;
  readonly options: CollectorOptions;
  /** Version of this program, told as a series. */
  readonly build?: string;
}

/** Makes one collector; throws AgentError BAD_CONFIGURATION for options that cannot be used. */
export type CollectorFactory = (parts: CollectorParts) => Collector;

/** What a collector is enabled by, and its label `collector`. */
export type CollectorName =
  | 'cpu'
  | 'memory'
  | 'disk'
  | 'network'
  | 'temperature'
  | 'load'
  | 'filesystem'
  | 'pressure';

/** Every collector that reads the kernel. */
export const COLLECTORS: Readonly<Record<CollectorName, CollectorFactory>> = {
  cpu: ({ kernel }) => new CpuCollector(kernel),
  memory: ({ kernel }) => new MemoryCollector(kernel),
  disk: ({ kernel, options }) =>
    new DiskCollector(kernel, {
      include: options.diskInclude,
      exclude: options.diskExclude,
      sectorBytes: options.diskSectorBytes,
    }),
  network: ({ kernel, options }) =>
    new NetworkCollector(kernel, {
      include: options.networkInclude,
      exclude: options.networkExclude,
      maxInterfaces: options.networkMaxInterfaces,
    }),
  temperature: ({ kernel }) => new TemperatureCollector(kernel),
  load: ({ kernel, build }) => new LoadCollector(kernel, build),
  filesystem: ({ kernel }) => new FilesystemCollector(kernel),
  pressure: ({ kernel }) => new PressureCollector(kernel),
};

/** The names in COLLECTORS, in its order. */
export const collectorNames = Object.keys(COLLECTORS) as readonly CollectorName[];
