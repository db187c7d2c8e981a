import type { Receiver } from './receiver.ts';
import { isWithin, type StoredRow, type StoredState } from './stored-state.ts';

/** A sample as it was handed to the store; its value names it. */
export interface Given {
  readonly value: number;
  readonly series: number;
  /** What the board's clock said, and what the time truly was. */
  readonly wallMs: number;
  readonly atMs: number;
  /** The clock stood where it may have been right. */
  readonly isTrusted: boolean;
}

type Fate = 'delivered' | 'rejected' | 'dropped';

/** A step of the clock below half a second is taken for drift. */
const TOLERANCE_MS = 502;
const DAY_MS = 86_400_000;

/** Whether a picky receiver refuses a sample. */
export function isBad(value: number): boolean {
  return value % 13 === 0;
}

/** What design.md promises of every sample, held against the database and the receiver after each command. */
export class Promises {
  readonly #given = new Map<number, Given>();
  readonly #valueOfId = new Map<number, number>();
  readonly #idOfValue = new Map<number, number>();
  /** What rows were when they went away. */
  readonly #gone = new Map<number, Fate>();
  /** Rows that went away before their acceptance was final: nothing can bring them back if the receiver dies. */
  readonly #atRisk = new Set<number>();
  readonly #trustedOffsets: { readonly fromMs: number; readonly offsetMs: number }[] = [];
  #state: StoredState | undefined;
  #handed = 0;
  #diedInMemory = 0;
  #confirmed = 0;

  give(sample: Given): void {
    this.#given.set(sample.value, sample);
    this.#handed += 1;
    if (sample.isTrusted) this.#trustedOffsets.push({ fromMs: sample.atMs, offsetMs: sample.wallMs - sample.atMs });
  }

  get state(): StoredState {
    return this.#state!;
  }

  /** The collector has nothing in memory any more. */
  confirm(): void {
    this.#confirmed = this.#handed;
    const { collected } = this.state.books;
    expectEqual('collected, with nothing in memory,', collected + this.#diedInMemory, this.#handed);
  }

  /** The collector was killed: what it had only in memory was never collected, what it had stored was. */
  collectorDied(): void {
    const { collected } = this.state.books;
    const diedNow = this.#handed - collected - this.#diedInMemory;
    const mayDie = this.#handed - this.#confirmed;
    if (diedNow < 0 || diedNow > mayDie)
      throw new Error(`a kill took ${diedNow} samples, of which ${mayDie} may have been only in memory`);
    this.#diedInMemory += diedNow;
    this.#confirmed = this.#handed;
  }

  /** @param isInformed the uploader knows of every connection that ended */
  observe(state: StoredState, receiver: Receiver, isInformed: boolean): void {
    const before = this.#state;
    this.#state = state;
    for (const [id, row] of before?.rows ?? [])
      if (!state.rows.has(id)) this.#goes(row, [...before!.provisional, ...state.provisional]);
    for (const row of state.rows.values()) this.#isKnown(row);
    this.#rangesAreSound(state);
    this.#booksAreTrue(state);
    for (const { id, value, uploaded } of state.rows.values()) {
      if (uploaded === 1 && receiver.get(value) === undefined && (isInformed || !isWithin(id, state.provisional))) {
        throw new Error(
          `row ${id} (sample ${value}) is delivered, and the receiver does not have it; it was ${JSON.stringify(before?.rows.get(id))}`,
        );
      }
      if (uploaded === 2) this.#mayBeRejected(value);
    }
    for (const [value, fate] of this.#gone) {
      if (fate === 'delivered' && receiver.get(value) === undefined && !this.#atRisk.has(value))
        throw new Error(`sample ${value} went away as delivered, and the receiver does not have it`);
    }
  }

  /** Nothing waits any more, but for what nobody knows the time of. */
  get isAllFinal(): boolean {
    const { rows, provisional } = this.state;
    return (
      provisional.length === 0 &&
      [...rows.values()].every(({ uploaded, value }) => uploaded > 0 || !this.#given.get(value)!.isTrusted)
    );
  }

  /** After everything was sent: each sample that was not given up or rejected is in the receiver, at its true time. */
  holdAtTheEnd(receiver: Receiver): void {
    for (const { id, value, uploaded } of this.state.rows.values()) {
      if (uploaded === 0 && this.#given.get(value)!.isTrusted) throw new Error(`row ${id} is still pending`);
    }
    for (const value of this.#idOfValue.keys()) {
      const isDelivered = this.#rowOf(value)?.uploaded === 1 || this.#gone.get(value) === 'delivered';
      if (isDelivered && receiver.get(value) === undefined && !this.#atRisk.has(value))
        throw new Error(`sample ${value} is lost`);
    }
    for (const { value, timestampMs, labels } of receiver.samples) {
      const given = this.#given.get(value);
      if (given === undefined || labels['i'] !== String(given.series))
        throw new Error(`the receiver has ${value} of ${labels['i']}, which nobody collected`);
      if (!this.#isTrueTime(given, timestampMs))
        throw new Error(`sample ${value} of ${given.wallMs} arrived with the time ${timestampMs}`);
    }
  }

  #rowOf(value: number): StoredRow | undefined {
    return this.state.rows.get(this.#idOfValue.get(value) ?? 0);
  }

  #goes({ id, value, uploaded }: StoredRow, provisional: StoredState['provisional']): void {
    this.#gone.set(value, uploaded === 0 ? 'dropped' : uploaded === 1 ? 'delivered' : 'rejected');
    if (uploaded === 1 && isWithin(id, provisional)) this.#atRisk.add(value);
  }

  /** Each row is one given sample, under an id that no other ever had, with its time. */
  #isKnown({ id, value, timestampMs }: StoredRow): void {
    const given = this.#given.get(value);
    if (given === undefined) throw new Error(`row ${id} holds ${value}, which nobody collected`);
    expectEqual(`the sample with id ${id}`, this.#valueOfId.get(id) ?? value, value);
    expectEqual(`the id of sample ${value}`, this.#idOfValue.get(value) ?? id, id);
    if (this.#gone.has(value)) throw new Error(`row ${id} went away and is back`);
    this.#valueOfId.set(id, value);
    this.#idOfValue.set(value, id);
    if (given.isTrusted && Math.abs(timestampMs - given.wallMs) > TOLERANCE_MS)
      throw new Error(`row ${id} of ${given.wallMs} has the time ${timestampMs}`);
  }

  /** Of a clock that stood before the build, the time becomes known when it is set, by whoever collects then. */
  #isTrueTime({ isTrusted, wallMs, atMs }: Given, timestampMs: number): boolean {
    const candidates = isTrusted
      ? [wallMs]
      : this.#trustedOffsets.filter(({ fromMs }) => fromMs >= atMs).map(({ offsetMs }) => atMs + offsetMs);
    return candidates.some((each) => Math.abs(each - timestampMs) <= TOLERANCE_MS);
  }

  #mayBeRejected(value: number): void {
    const { isTrusted, wallMs, atMs } = this.#given.get(value)!;
    if (!isBad(value) && isTrusted && wallMs - atMs < DAY_MS)
      throw new Error(`sample ${value} is sound and was rejected`);
  }

  #rangesAreSound({ settled, lastId }: StoredState): void {
    settled.forEach(([first, last], index) => {
      const before = settled[index - 1]?.[1] ?? -1;
      if (first > last || first <= before + 1 || last > lastId)
        throw new Error(`settled ranges overlap, touch or end beyond ${lastId}: ${JSON.stringify(settled)}`);
    });
    const highest = Math.max(0, ...this.#valueOfId.keys());
    if (highest > lastId) throw new Error(`id ${highest} is above the last one, ${lastId}`);
  }

  #booksAreTrue({ books, rows }: StoredState): void {
    const { collected, delivered, rejected, dropped, pending, balanced } = books;
    const count = (uploaded: number, fate: Fate): number =>
      [...rows.values()].filter((row) => row.uploaded === uploaded).length +
      [...this.#gone.values()].filter((each) => each === fate).length;
    expectEqual('balanced', balanced, 1);
    expectEqual('pending by the books and by its rows', collected - delivered - rejected - dropped, pending);
    expectEqual('delivered', delivered, count(1, 'delivered'));
    expectEqual('rejected', rejected, count(2, 'rejected'));
    // What was stored and given up within one command was never seen as a row.
    const unseen = collected - this.#idOfValue.size;
    expectEqual('dropped', dropped, count(-1, 'dropped') + unseen);
  }
}

function expectEqual(what: string, actual: number, expected: number): void {
  if (actual !== expected) throw new Error(`${what}: ${actual}, not ${expected}`);
}
