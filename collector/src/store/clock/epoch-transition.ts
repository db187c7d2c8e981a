/**
 * The transition of clock epochs: pure, without clock, log or database. ClockEpochs keeps the state, logs the changes and
 * writes the table.
 *
 *   the clocks agree with the epoch   the epoch stays; its trust may rise
 *   the clock stepped                 a new epoch; also after drift or a suspend of the machine
 *   trust was lost or gained          a new epoch
 *   the instant is an earlier one     the state stays; a slow scrape gets the epoch that its beginning belongs to
 *
 * A step of at most STEP_MS is ignored: NTP slews a clock by less, and two clocks are never read at the same time.
 */
import { Trust } from '@thugshells/shared/state/epoch-trust.ts';

import type { Epoch, KnownReceiverClock } from './epoch.ts';

/** When a scrape began, by all clocks, in milliseconds; `wallMs` is Unix time. */
export interface Instant {
  readonly wallMs: number;
  readonly monotonicMs: number;
  readonly sinceBootMs: number;
}

/** An instant as the database holds it. */
export interface Moment {
  /**
   * Strictly increasing, also across steps of the wall clock and restarts: what `samples.timestamp_ms` holds, minus the age of
   * a sample with a time of its own.
   */
  readonly storedMs: number;
  /** By the clock that samples are stamped by, in whole milliseconds. */
  readonly correctedMs: number;
  readonly epoch: Epoch;
}

/** Constants of a process. */
export interface ClockBasis {
  /** Stored time minus monotonic time: it lies ahead of every stored sample. */
  readonly baseMs: number;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** An instant interpreted by what is known of the clocks. */
export interface ClockReading {
  readonly monotonicMs: number;
  readonly storedMs: number;
  readonly bootBaseMs: number;
  /** The clock that samples are stamped by: this machine's or the receiver's. */
  readonly stampMs: number;
  readonly trust: Trust;
  /** Why it is not trusted; empty if it is. */
  readonly doubt: string;
}

export interface EpochState {
  readonly lastStoredMs: number;
  readonly latestMonotonicMs: number;
  readonly current: Epoch;
  /** The one before the last change. */
  readonly previous: Epoch;
  /** How far the clock was from the epoch's at the last instant: a step comes at once, drift little by little. */
  readonly lastDeviationMs: number;
}

/** A new epoch has begun. */
export interface EpochChange {
  readonly stepMs: number;
  /** Drift or a suspend, with unchanged trust: no warning. */
  readonly isHarmless: boolean;
}

export interface EpochTransition {
  readonly state: EpochState;
  readonly moment: Moment;
  readonly change?: EpochChange;
}

/** The clock has stepped if it and the monotonic clock disagree by more than this. */
const STEP_MS = 500;
/** Two daemons that set the clock in turn would begin an epoch with each scrape: with each 250 epochs, the step limit doubles. */
const EPOCHS_PER_DOUBLING = 250;
/** If this clock differs from the receiver's by more, the receiver's is believed. */
export const MAX_SKEW_MS = 86_400_000;

/** Interprets an instant by what is known of the receiver's clock. */
export function interpret(
  { wallMs, monotonicMs, sinceBootMs }: Instant,
  basis: ClockBasis,
  receiver: KnownReceiverClock | undefined,
): ClockReading {
  const storedMs = Math.floor(monotonicMs + basis.baseMs);
  const receiverMs = receiver === undefined ? undefined : receiver.bootedAtMs + sinceBootMs;
  const stampMs = receiver?.isStamp === true ? receiverMs! : wallMs;
  return {
    monotonicMs,
    storedMs,
    bootBaseMs: storedMs - sinceBootMs,
    stampMs,
    ...judge(stampMs, receiverMs, basis.builtAtMs),
  };
}

/** Agreement with the receiver overrides everything else. */
function judge(
  stampMs: number,
  receiverMs: number | undefined,
  builtAtMs: number,
): Pick<ClockReading, 'trust' | 'doubt'> {
  if (receiverMs === undefined) {
    if (stampMs >= builtAtMs) return { trust: Trust.faith, doubt: '' };
    return { trust: Trust.no, doubt: 'the clock stands before this program was built' };
  }
  if (Math.abs(stampMs - receiverMs) <= MAX_SKEW_MS) return { trust: Trust.confirmed, doubt: '' };
  return { trust: Trust.no, doubt: 'the clock differs from the receiver’s by more than a day' };
}

/** Returns the state of a process that starts. @param lastStoredMs the stored time of the newest sample */
export function startEpochs(reading: ClockReading, lastStoredMs: number): EpochState {
  const epoch = toEpoch(reading, 'start');
  return { lastStoredMs, latestMonotonicMs: -Infinity, current: epoch, previous: epoch, lastDeviationMs: 0 };
}

/**
 * Returns the state after an instant, and the moment of its samples.
 *
 * @param epochCount how many epochs the table has
 */
export function observe(state: EpochState, reading: ClockReading, epochCount: number): EpochTransition {
  if (reading.monotonicMs < state.latestMonotonicMs) {
    const epoch = findLateEpoch(state, reading);
    return {
      state,
      moment: { storedMs: reading.storedMs, correctedMs: reading.storedMs + epoch.offsetMs, epoch },
    };
  }
  const { change, ...epochs } = observeClock(state, reading, epochCount);
  const storedMs = Math.max(state.lastStoredMs + 1, reading.storedMs);
  return {
    state: { ...epochs, lastStoredMs: storedMs, latestMonotonicMs: reading.monotonicMs },
    moment: { storedMs, correctedMs: storedMs + epochs.current.offsetMs, epoch: epochs.current },
    ...(change === undefined ? {} : { change }),
  };
}

type Epochs = Pick<EpochState, 'current' | 'previous' | 'lastDeviationMs'> & { readonly change?: EpochChange };

/** Begins an epoch if the clocks do not agree with the current one any more. */
function observeClock(state: EpochState, reading: ClockReading, epochCount: number): Epochs {
  const { current, previous, lastDeviationMs } = state;
  const stepMs = reading.stampMs - reading.storedMs - current.offsetMs;
  const isStep = Math.abs(stepMs) > STEP_MS * 2 ** Math.floor(epochCount / EPOCHS_PER_DOUBLING);
  const isTrustChanged = (reading.trust === Trust.no) !== (current.trust === Trust.no);
  if (!isStep && !isTrustChanged) {
    // Agreement once is enough: the receiver's clock may be the one that goes wrong later.
    const trust = Math.max(reading.trust, current.trust) as Trust;
    return { current: trust === current.trust ? current : { ...current, trust }, previous, lastDeviationMs: stepMs };
  }
  const suspendedMs = current.bootBaseMs - reading.bootBaseMs;
  const isDrift = Math.abs(stepMs - lastDeviationMs) <= STEP_MS / 2;
  return {
    current: toEpoch(reading, explainChange({ stepMs, suspendedMs, isStep, isDrift })),
    previous: current,
    lastDeviationMs: 0,
    change: { stepMs, isHarmless: (isDrift || suspendedMs > STEP_MS) && !isTrustChanged },
  };
}

/** Returns the epoch of a scrape that began before the latest one. */
function findLateEpoch({ current, previous }: EpochState, reading: ClockReading): Epoch {
  const agrees = (epoch: Epoch): boolean => Math.abs(reading.stampMs - reading.storedMs - epoch.offsetMs) <= STEP_MS;
  return [current, previous].find(agrees) ?? toEpoch(reading, 'a slow scrape');
}

function toEpoch({ storedMs, stampMs, bootBaseMs, trust, doubt }: ClockReading, reason: string): Epoch {
  // A start that finds the clock where the stored samples leave off needs no correction of a stray millisecond.
  const offsetMs = Math.round(stampMs - storedMs);
  return {
    offsetMs: Math.abs(offsetMs) <= 1 ? 0 : offsetMs,
    bootBaseMs: Math.round(bootBaseMs),
    trust,
    reason: doubt === '' ? reason : `${reason}; ${doubt}`,
  };
}

function explainChange(change: { stepMs: number; suspendedMs: number; isStep: boolean; isDrift: boolean }): string {
  const toSeconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  if (!change.isStep) return 'the receiver’s clock became known';
  if (change.suspendedMs > STEP_MS) return `the machine was suspended for ${toSeconds(change.suspendedMs)}`;
  if (change.isDrift) return `the wall clock drifted by ${toSeconds(change.stepMs)}`;
  return `the wall clock stepped by ${toSeconds(change.stepMs)}`;
}

/** Returns what has to be written so that samples of `epoch` may follow those of the newest epoch in the table. */
export function planWrite(recorded: Epoch | undefined, epoch: Epoch): 'insert' | 'confirm' | 'nothing' {
  if (recorded === undefined || !isSameClock(recorded, epoch)) return 'insert';
  return epoch.trust === Trust.confirmed && recorded.trust === Trust.faith ? 'confirm' : 'nothing';
}

/** Whether samples of `b` may stand in the table as samples of `a`. */
function isSameClock(a: Epoch, b: Epoch): boolean {
  return (
    a.offsetMs === b.offsetMs &&
    Math.abs(a.bootBaseMs - b.bootBaseMs) <= STEP_MS &&
    (a.trust === Trust.no) === (b.trust === Trust.no)
  );
}
