/** A fleet that comes back after an outage. */
export interface FleetOptions {
  readonly boards?: number;
  readonly outageMs?: number;
  readonly watchedMs?: number;
  readonly seed?: number;
}

/** Requests in each second after the receiver is back, their mean and their peak. */
export interface FleetLoad {
  readonly perSecond: readonly number[];
  readonly mean: number;
  readonly peak: number;
}

/** Requests in each second of the minute after a receiver is back that was away for an hour from all boards' start on. */
export function simulateFleet(options?: FleetOptions): Promise<FleetLoad>;
