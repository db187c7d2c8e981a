/** Returns the text of a file after the simulated device has been up for some seconds. */
export type SimulatedText = (uptimeS: number) => string;

/** A quantity that oscillates around its mean; `swing` is a share of the mean, below 1. */
export interface Swing {
  readonly mean: number;
  readonly swing: number;
  readonly periodS: number;
  readonly phase?: number;
}

/** Returns the value at a time. */
export function computeValue(uptimeS: number, { mean, swing, periodS, phase = 0 }: Swing): number {
  return mean * (1 + swing * Math.sin((2 * Math.PI * uptimeS) / periodS + phase));
}

/** Returns the integral of `computeValue` since boot, in closed form: a counter that increases at that rate. */
export function computeCount(uptimeS: number, { mean, swing, periodS, phase = 0 }: Swing): number {
  const angle = (2 * Math.PI * uptimeS) / periodS + phase;
  return Math.floor(mean * (uptimeS + ((swing * periodS) / (2 * Math.PI)) * (Math.cos(phase) - Math.cos(angle))));
}
