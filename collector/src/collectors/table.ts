import type { KernelCollectorName } from '@thugshells/shared/metrics/collector-names.ts';
import type { SeriesDeclaration } from '@thugshells/shared/metrics/series.ts';

import type { Collector } from './collector.ts';
import type { KernelSource } from '../kernel/kernel-files.ts';
import { CPU_SERIES, CpuCollector } from './cpu.ts';
import { DISK_SERIES, DiskCollector, type DiskOptions } from './disk.ts';
import { FILESYSTEM_SERIES, FilesystemCollector } from './filesystem.ts';
import { LINK_SERIES, LinkCollector } from './link.ts';
import { LOAD_SERIES, LoadCollector } from './load.ts';
import { MEMORY_SERIES, MemoryCollector } from './memory.ts';
import type { NameRules } from './parsing/name-filter.ts';
import { NETWORK_SERIES, NetworkCollector } from './network.ts';
import { POWER_SERIES, PowerCollector } from './power.ts';
import { PRESSURE_SERIES, PressureCollector } from './pressure.ts';
import type { InterfaceRules } from './readers/interface-limit.ts';
import { PROCESS_SERIES, ProcessCollector } from './process.ts';
import { RESOURCES_SERIES, ResourcesCollector } from './resources.ts';
import { SERVICE_SERIES, ServiceCollector } from './service.ts';
import { SYSTEM_SERIES, SystemCollector } from './system.ts';
import { TEMPERATURE_SERIES, TemperatureCollector } from './temperature.ts';

/** Options of collectors, from the configuration. Each list holds regular expressions that must match a whole name. */
export interface CollectorOptions {
  /** Empty: every interface. */
  readonly networkInclude: InterfaceRules['include'];
  /** Wins over `networkInclude`. */
  readonly networkExclude: InterfaceRules['exclude'];
  readonly networkMaxInterfaces: InterfaceRules['maxInterfaces'];
  /** Empty: every whole device. */
  readonly diskInclude: DiskOptions['include'];
  /** Wins over `diskInclude`. */
  readonly diskExclude: DiskOptions['exclude'];
  readonly diskSectorBytes: DiskOptions['sectorBytes'];
  /** Mount points and types; empty: every mount. */
  readonly filesystemInclude: NameRules['include'];
  /** Wins over `filesystemInclude`. */
  readonly filesystemExclude: NameRules['exclude'];
  /** Names of systemd units. */
  readonly services: readonly string[];
  /** Names of processes. */
  readonly processes: readonly string[];
}

/** What a collector is created from. */
export interface CollectorParts {
  readonly kernel: KernelSource;
  readonly options: CollectorOptions;
  /** Version of this program, returned as the series `collector.build`. */
  readonly build?: string;
  /** The architecture as uname(2) has it, for kernels that do not show it. */
  readonly machine?: string;
}

/** What the table knows of a collector. */
export interface CollectorEntry<Name extends KernelCollectorName> {
  /** Every series that the collector ever returns. Their names are refused to series of text files and targets. */
  readonly series: readonly SeriesDeclaration[];
  /**
   * Creates the collector.
   *
   * @throws AgentError BAD_CONFIGURATION for options that are no regular expressions
   */
  readonly create: (parts: CollectorParts) => Collector & { readonly name: Name };
}

/** Finds which interfaces the collectors `network` and `link` report. */
function findInterfaceRules(options: CollectorOptions): InterfaceRules {
  return {
    include: options.networkInclude,
    exclude: options.networkExclude,
    maxInterfaces: options.networkMaxInterfaces,
  };
}

/** Every collector that reads the kernel. */
export const COLLECTORS: { readonly [Name in KernelCollectorName]: CollectorEntry<Name> } = {
  cpu: { series: CPU_SERIES, create: ({ kernel }) => new CpuCollector(kernel) },
  memory: { series: MEMORY_SERIES, create: ({ kernel }) => new MemoryCollector(kernel) },
  disk: {
    series: DISK_SERIES,
    create: ({ kernel, options }) =>
      new DiskCollector(kernel, {
        include: options.diskInclude,
        exclude: options.diskExclude,
        sectorBytes: options.diskSectorBytes,
      }),
  },
  network: {
    series: NETWORK_SERIES,
    create: ({ kernel, options }) => new NetworkCollector(kernel, findInterfaceRules(options)),
  },
  link: {
    series: LINK_SERIES,
    create: ({ kernel, options }) => new LinkCollector(kernel, findInterfaceRules(options)),
  },
  temperature: { series: TEMPERATURE_SERIES, create: ({ kernel }) => new TemperatureCollector(kernel) },
  load: { series: LOAD_SERIES, create: ({ kernel, build }) => new LoadCollector(kernel, build) },
  filesystem: {
    series: FILESYSTEM_SERIES,
    create: ({ kernel, options }) =>
      new FilesystemCollector(kernel, { include: options.filesystemInclude, exclude: options.filesystemExclude }),
  },
  pressure: { series: PRESSURE_SERIES, create: ({ kernel }) => new PressureCollector(kernel) },
  resources: { series: RESOURCES_SERIES, create: ({ kernel }) => new ResourcesCollector(kernel) },
  power: { series: POWER_SERIES, create: ({ kernel }) => new PowerCollector(kernel) },
  system: { series: SYSTEM_SERIES, create: ({ kernel, machine }) => new SystemCollector(kernel, machine) },
  service: {
    series: SERVICE_SERIES,
    create: ({ kernel, options }) => new ServiceCollector(kernel, options.services),
  },
  process: {
    series: PROCESS_SERIES,
    create: ({ kernel, options }) => new ProcessCollector(kernel, options.processes),
  },
};
