/** Some samples of a text. */
export interface CountedSamples {
  readonly count: number;
  /** The first one's series, for a message. */
  readonly first: string;
}

/** Counts samples, and keeps the first one's series. */
export class SampleCounter implements CountedSamples {
  count: number;
  first: string;

  constructor(count = 0, first = '') {
    this.count = count;
    this.first = first;
  }

  add(describe: () => string): void {
    if (this.count === 0) this.first = describe();
    this.count += 1;
  }
}
