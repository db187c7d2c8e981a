import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CpuCollector } from './cpu.ts';
import { DiskCollector, type DiskOptions } from './disk.ts';
import { FilesystemCollector } from './filesystem.ts';
import { LoadCollector } from './load.ts';
import { MemoryCollector } from './memory.ts';
import { NetworkCollector, type NetworkOptions } from './network.ts';
import { PressureCollector } from './pressure.ts';
import { TemperatureCollector } from './temperature.ts';

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
export type CollectorName = 'cpu' | 'memory' | 'disk' | 'network' | 'temperature' | 'load' | 'filesystem' | 'pressure';

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
