/** A sample that the receiver refuses, by its place in the body. */
export interface Rejection {
  /** Counted in samples from 0, in body order. */
  readonly index: number;
  readonly reason: string;
}

/** What a fault looks at before it strikes; every condition given must hold. */
export interface FaultCondition {
  /** The body, as text, contains this. */
  readonly contains?: string;
  /** The body holds more samples than this. */
  readonly samplesOver?: number;
  /** The body takes more bytes on the wire than this. */
  readonly bytesOver?: number;
}

/** One way for an import to go wrong. Without any of them it stores everything and answers 204. */
export interface Fault {
  /** Strikes this many imports, then it is gone; otherwise until it is cleared. */
  readonly count?: number;
  readonly when?: FaultCondition;
  /** The health address answers the same way; it never uses up `count`. */
  readonly alsoHealth?: boolean;
  /** Answers 200 with `{"accepted": N}` and stores the first N samples that are not rejected. */
  readonly accepted?: number;
  /** Answers 200 with these and the number of all others, and stores those. */
  readonly rejected?: readonly Rejection[];
  readonly status?: number;
  readonly body?: string;
  /** Headers of the answer, such as `Retry-After`, `Content-Type`, `Location` or `Connection: close`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** How much is stored before the answer; by default nothing where there is a `status` or a `hang`, else all. */
  readonly store?: 'nothing' | 'half' | 'all';
  /** Answers this much later; what is stored is stored before. */
  readonly delayMs?: number;
  /** Stores, then destroys the socket instead of answering. */
  readonly eatResponse?: boolean;
  /** Destroys the socket before reading the body; nothing is stored. */
  readonly cutConnection?: boolean;
  /** Reads the body and never answers. */
  readonly hang?: boolean;
  /** Sends the answer's body one byte at a time, this far apart. */
  readonly dripMs?: number;
  /** Added to the time in the Date header, the health address's included. */
  readonly dateSkewMs?: number;
}

/** What is known of an import once its body has been read. */
export interface ImportFacts {
  readonly text: string;
  readonly samples: number;
  readonly bytes: number;
}

/** The faults that are set, in their order; the first that applies strikes, and no other. */
export class FaultPlan {
  #faults: { readonly fault: Fault; left: number }[] = [];

  /** Replaces the plan. */
  set(faults: readonly Fault[]): void {
    this.#faults = faults.map((fault) => ({ fault, left: fault.count ?? Infinity }));
  }

  /** The faults that have not been used up, each with the count it has left. */
  list(): Fault[] {
    return this.#faults.map(({ fault, left }) => (left === Infinity ? fault : { ...fault, count: left }));
  }

  /** The fault that cuts the next connection, if that one is first: it must be known before the body is read. */
  takeCut(): Fault | undefined {
    return this.#faults[0]?.fault.cutConnection === true ? this.#take(() => true) : undefined;
  }

  /** The fault that strikes this import. */
  take(facts: ImportFacts): Fault | undefined {
    return this.#take((fault) => holds(fault.when ?? {}, facts));
  }

  /** The fault that strikes the health address, if any. */
  forHealth(): Fault | undefined {
    return this.#faults.find(({ fault }) => fault.alsoHealth === true)?.fault;
  }

  /** What is added to the Date header now. */
  dateSkewMs(): number {
    return this.#faults.find(({ fault }) => fault.dateSkewMs !== undefined)?.fault.dateSkewMs ?? 0;
  }

  #take(applies: (fault: Fault) => boolean): Fault | undefined {
    const entry = this.#faults.find(({ fault }) => applies(fault));
    if (entry === undefined) return undefined;
    entry.left -= 1;
    if (entry.left <= 0) this.#faults = this.#faults.filter((other) => other !== entry);
    return entry.fault;
  }
}

function holds(when: FaultCondition, facts: ImportFacts): boolean {
  return (
    (when.contains === undefined || facts.text.includes(when.contains)) &&
    (when.samplesOver === undefined || facts.samples > when.samplesOver) &&
    (when.bytesOver === undefined || facts.bytes > when.bytesOver)
  );
}
