import type { Reading } from '@thugshells/shared/metrics/sample.ts';

/** The time of one scrape, the same for all its readings. */
export interface Scrape {
  /** Monotonic milliseconds, from which rates are computed; only differences are meaningful. */
  readonly monotonicMs: number;
}

/** Samples that are left out of a scrape, or changed, though its source did not fail: counted, and logged once for each event. */
export interface LeftOutSamples {
  /** The message of the log. */
  readonly event: string;
  /** What the event is logged once for, such as a file; undefined for once in all. */
  readonly subject?: string;
  /** How many count as failed; 0 for what may last as long as the device, of which an alert would never end. */
  readonly count: number;
  /** What they are, with the first one by name. */
  readonly reason: string;
}

/** Something that happened on the device between two scrapes and that an operator should see in the log. */
export interface CollectorEvent {
  /** The message of the log, at level warn. */
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

/** Reads its sources at each scrape, and keeps only the state that rates need. */
export interface Collector {
  /** As in `THUGSHELLS_COLLECTORS` and in the label `collector`. */
  readonly name: string;
  /** Whether some series are differences between two reads, which the first scrape does not have. */
  readonly comparesReads: boolean;
  /** A condition that an operator should know of although nothing failed, as a sentence; the first one is logged. */
  readonly notice?: string | undefined;
  /** What the last scrape left out. */
  readonly leftOut?: readonly LeftOutSamples[];
  /** What happened between the last two scrapes. */
  readonly events?: readonly CollectorEvent[];
  /**
   * Reads the sources once.
   *
   * @throws AgentError KERNEL_FILE_ABSENT if this kernel has none of the sources: the collector is absent, not failing
   * @throws AgentError KERNEL_FILE_UNREADABLE or KERNEL_FILE_MALFORMED if a source cannot be read or parsed
   * @throws PartialResultError with the readings of the other sources
   */
  collect(scrape: Scrape): Promise<readonly Reading[]>;
  /** Returns the ends of its series when it will not collect any more; series of a collector without it have a gap only. */
  end?(): readonly Reading[];
}
