/**
 * The collectors, once for both programs: their variables (`CPU_INTERVAL`), the values of `COLLECTORS`, the label
 * `collector` and the table in collector/src/collectors/table.ts are derived from these names, in this order.
 */

/** Collectors that read the kernel. */
export const KERNEL_COLLECTOR_NAMES = [
  'cpu',
  'memory',
  'disk',
  'network',
  'link',
  'temperature',
  'load',
  'filesystem',
  'pressure',
  'resources',
  'power',
  'system',
  'service',
  'process',
] as const;

/** Collectors that read something else (collector/src/inputs/): the state of both programs, text files, exporters. */
export const INPUT_NAMES = ['self', 'textfile', 'scrape'] as const;

export const COLLECTOR_NAMES = [...KERNEL_COLLECTOR_NAMES, ...INPUT_NAMES] as const;

export type KernelCollectorName = (typeof KERNEL_COLLECTOR_NAMES)[number];
export type CollectorName = (typeof COLLECTOR_NAMES)[number];
