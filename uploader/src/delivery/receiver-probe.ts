import type { Clock } from '@thugshells/shared/clock.ts';

import type { ReceiverState } from './receiver-state.ts';
import { NO_PAUSE, type Pause } from '../transport/attempt-backoff.ts';
import type { ReceiverCheck } from '../transport/transport.ts';

export interface ReceiverProbeOptions {
  readonly clock: Clock;
  readonly receiver: ReceiverState;
  readonly receiverCheck: Pick<ReceiverCheck, 'checkReceiver' | 'checksConnection' | 'haveCredentialsChanged'>;
  /** From 0 up to, but not including, 1. */
  readonly random: () => number;
  /** Returns whether this device has a route to the receiver; sends nothing. */
  readonly isLinkUp: () => boolean;
  /** 0 turns probing off. */
  readonly probeIntervalMs: number;
}

/** Time between two probes of a receiver that has been away for long. */
const LONG_AWAY_INTERVAL_MS = 30_000;
/** How often it is looked, while the receiver refuses uploads, whether somebody has changed the credentials. */
const CREDENTIALS_LOOK_MS = 2_000;
/** Share by which each wait varies. */
const JITTER = 0.2;

/**
 * Waits for the next upload, or until a receiver that was away is back: requests without a body probe it, or connections. While
 * it refuses uploads it is not probed: changed credentials are what ends that wait.
 */
export class ReceiverProbe {
  readonly #options: ReceiverProbeOptions;
  /** Whether a good response has ended a backoff although the receiver accepted nothing then. */
  #isMisled = false;
  #hasEndedBackoff = false;

  constructor(options: ReceiverProbeOptions) {
    this.#options = options;
  }

  /**
   * Returns at `untilMonotonicMs`, when the receiver is back, or when `stop` is aborted.
   *
   * @param pause until when the receiver has asked for nothing to be sent, and how long the backoff lasts: a response that
   * a proxy may have written, such as a 404, is no reason to end that early, nor is one of a receiver that responds well
   * and accepts nothing, such as one without disk space
   */
  async wait(untilMonotonicMs: number, stop: AbortSignal, pause: Pause = NO_PAUSE): Promise<void> {
    const { clock, receiver, receiverCheck, isLinkUp, probeIntervalMs } = this.#options;
    if (receiver.condition === 'held') return this.#waitForCredentials(untilMonotonicMs, stop);
    const { checksConnection } = receiverCheck;
    const isResponding = receiver.condition === 'away' && (pause.hasResponse || checksConnection);
    this.#isMisled = isResponding && (this.#isMisled || this.#hasEndedBackoff);
    this.#hasEndedBackoff = false;
    while (!stop.aborted && clock.monotonic() < untilMonotonicMs) {
      const remainingMs = untilMonotonicMs - clock.monotonic();
      const quietMs = Math.max(0, pause.askedUntil - clock.monotonic());
      const isProbing =
        probeIntervalMs > 0 && receiver.condition === 'away' && !(checksConnection && pause.hasResponse);
      const probeInMs = isProbing ? quietMs + this.#nextMs() : Infinity;
      const waitMs = Math.min(probeInMs, remainingMs);
      if (receiver.condition !== 'taking') receiver.waitsFor(waitMs);
      await clock.sleep(waitMs, stop);
      // A timer may fire a little too early: what ends with the wait is no probe.
      if (probeInMs >= remainingMs || stop.aborted) continue;
      const response = isLinkUp() ? await receiverCheck.checkReceiver(stop) : undefined;
      // A receiver that cannot be connected to is news when it can be.
      if (response === undefined && checksConnection) this.#isMisled = false;
      if (response === undefined) continue;
      const isBackoffOver = clock.monotonic() >= pause.backoffUntil;
      if (!isBackoffOver && (!response.isReceiver || this.#isMisled)) continue;
      this.#hasEndedBackoff = !isBackoffOver;
      return;
    }
  }

  async #waitForCredentials(untilMonotonicMs: number, stop: AbortSignal): Promise<void> {
    const { clock, receiver, receiverCheck } = this.#options;
    const remainingMs = (): number => untilMonotonicMs - clock.monotonic();
    receiver.waitsFor(remainingMs());
    while (!stop.aborted && remainingMs() > 0 && !receiverCheck.haveCredentialsChanged())
      await clock.sleep(Math.min(CREDENTIALS_LOOK_MS, remainingMs()), stop);
  }

  #nextMs(): number {
    const { receiver, random, probeIntervalMs } = this.#options;
    const intervalMs = receiver.isLongAway ? Math.max(LONG_AWAY_INTERVAL_MS, probeIntervalMs) : probeIntervalMs;
    return intervalMs * (1 + JITTER * (2 * random() - 1));
  }
}
