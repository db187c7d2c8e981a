import type { Clock } from '@thugshells/shared/clock.ts';

import type { BootTime } from '../clock/receiver-clock.ts';
import { isLoopback } from './loopback.ts';
import { setVerificationTime, type VerificationTime } from './verification-time.ts';

export interface CertificateTimeOptions {
  readonly clock: Clock;
  readonly remoteUrl: string;
  readonly clockSkewUrl: string;
  /** Returns the URL of the proxy for a URL; empty for none. */
  readonly proxyFor: (url: string) => string;
  /** Unix milliseconds before which no clock can be right: when this program was built. */
  readonly builtAtMs: number;
}

/** A clock that is right to within this judges certificates by itself. */
const TOLERANCE_MS = 60_000;

/**
 * The time by which certificates are judged on a device that never gets the time (CLOCK_SKEW_POLICY=correct): that of the
 * server that CLOCK_SKEW_URL names, if that is authenticated.
 *
 * Authenticated is the time of a server that is not the receiver, so that no certificate is judged by the time of whoever
 * presents it: an expired one whose key was stolen would name a time at which it was valid. It is another host over https,
 * whose certificate has to be valid at the very time that it names, or a server on this device. Plain http over a network
 * is not: anybody on the way could write it.
 *
 *   no time known   the clock of this device judges
 *   trial           a certificate of CLOCK_SKEW_URL is judged by no time, to learn which one its server names, and then by
 *                   that one. Everything else about it is verified. No credentials are sent, and no other connection
 *                   that is opened meanwhile is used.
 *   time known      judges all certificates, while this device's clock differs from it
 */
export class CertificateTime {
  readonly #options: CertificateTimeOptions;
  #bootedAtMs: number | undefined;
  #isTrying = false;
  #trials = 0;

  constructor(options: CertificateTimeOptions) {
    this.#options = options;
  }

  /** Whether the time that a URL responds with counts. */
  isAuthenticated(url: string): boolean {
    const { remoteUrl, clockSkewUrl, proxyFor } = this.#options;
    const [source, remote] = [new URL(url), new URL(remoteUrl)];
    if (url !== clockSkewUrl || source.origin === remote.origin) return false;
    // The certificate of a proxy would be judged in the trial too.
    if ([url, remoteUrl].some((each) => proxyFor(each).startsWith('https:'))) return false;
    return isLoopback(source) || (source.protocol === 'https:' && source.hostname !== remote.hostname);
  }

  /** Whether the time of a server is the one by which its certificate has been judged. */
  agreesWith(time: BootTime): boolean {
    return Math.abs(this.#toNow(time.bootedAtMs) - this.#nowMs()) <= TOLERANCE_MS + time.errorMs;
  }

  /** Whether it can be the time: this program was built earlier. */
  isPossible({ bootedAtMs }: BootTime): boolean {
    return this.#toNow(bootedAtMs) >= this.#options.builtAtMs;
  }

  learn({ bootedAtMs }: BootTime): void {
    this.#bootedAtMs = bootedAtMs;
  }

  /** Applies what is known to the connections that are opened next. */
  apply(): void {
    if (this.#isTrying) return;
    const isNeeded = Math.abs(this.#nowMs() - this.#options.clock.now()) > TOLERANCE_MS;
    setVerificationTime(isNeeded ? this.#nowMs() : 'clock');
  }

  /** Opens connections whose certificates are judged by another time, or by none. */
  async try<R>(time: BootTime | 'none', request: () => Promise<R>): Promise<R> {
    const judge: VerificationTime = time === 'none' ? time : this.#toNow(time.bootedAtMs);
    this.#isTrying = true;
    this.#trials += 1;
    try {
      setVerificationTime(judge);
      return await request();
    } finally {
      this.#trials += 1;
      this.#isTrying = false;
      this.apply();
    }
  }

  /** Returns a check of a connection that is opened now: it may be used if no trial was under way. */
  watch(): () => boolean {
    const before = this.#trials;
    return () => !this.#isTrying && this.#trials === before;
  }

  #nowMs(): number {
    return this.#bootedAtMs === undefined ? this.#options.clock.now() : this.#toNow(this.#bootedAtMs);
  }

  #toNow(bootedAtMs: number): number {
    return bootedAtMs + this.#options.clock.sinceBoot();
  }
}
