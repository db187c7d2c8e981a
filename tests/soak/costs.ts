import { quantile } from '../support/figures.ts';
import { cpuSeconds, diskBytesWritten, pssMB } from '../support/processes.ts';

/** What a program took from the machine, over all its lives. */
export interface Costs {
  readonly cpuSeconds: number;
  readonly diskBytes: number;
  readonly medianPssMB: number;
  readonly mostPssMB: number;
}

/** Adds up what a program costs while it is killed and started again: each process counts with the last look at it. */
export class CostMeter {
  readonly #cpuSeconds = new Map<number, number>();
  readonly #diskBytes = new Map<number, number>();
  readonly #pssMB: number[] = [];

  look(pid: number): void {
    try {
      this.#cpuSeconds.set(pid, cpuSeconds(pid));
      this.#diskBytes.set(pid, diskBytesWritten(pid));
      this.#pssMB.push(pssMB(pid));
    } catch {
      // Killed a moment ago: what was seen of it before counts.
    }
  }

  get costs(): Costs {
    const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);
    return {
      cpuSeconds: sum(this.#cpuSeconds.values()),
      diskBytes: sum(this.#diskBytes.values()),
      medianPssMB: quantile(this.#pssMB, 0.5),
      mostPssMB: quantile(this.#pssMB, 1),
    };
  }
}
