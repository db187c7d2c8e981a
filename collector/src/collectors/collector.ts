import type { Reading } from '@thugshells/shared/metrics/sample.ts';

/** The moment of one scrape, the same for every reading in it. */
export interface Scrape {
  /** Monotonic milliseconds; only differences mean something. Rates are taken over it. */
  readonly monotonicMs: number;
}

/** One source of readings: reads the kernel through the door it was given, and keeps only what a rate needs. */
export interface Collector {
  /** As in COLLECTORS and in the label `collector`. */
  readonly name: string;
  /** Whether some readings are differences between two reads, so that the first read does not have them. */
  readonly comparesReads: boolean;
  /** What an operator should know though nothing has failed, as a sentence; the first one there is stands in the log. */
  readonly notice?: string | undefined;
  /**
   * Reads once.
   *
   * @throws AgentError KERNEL_FILE_ABSENT where this kernel does not have the source (the collector is absent, not failing)
   * @throws AgentError KERNEL_FILE_UNREADABLE or KERNEL_FILE_MALFORMED where it has it and it cannot be used
   */
  collect(scrape: Scrape): Promise<readonly Reading[]>;
}
