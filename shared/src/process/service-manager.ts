import type { Clock } from '../clock.ts';
import type { Environment } from '../config/load-config.ts';
import { ticks } from '../ticker.ts';
import type { Notify } from './systemd.ts';

export interface ServiceManagerOptions {
  readonly notify: Notify;
  /** The process's; systemd sets WATCHDOG_USEC if the unit has WatchdogSec= (sd_watchdog_enabled(3)). */
  readonly environment: Environment;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
}

/** Progress is reported at most this often within a timeout: with scrapes every second each would be a datagram. */
const MAX_REPORTS_IN_TIMEOUT = 10;
/** How many pauses that the configuration chooses fit into a timeout: a scrape may be late, and one may fail. */
const PAUSES_IN_TIMEOUT = 3;

/**
 * Reports to systemd that a service is ready, its status, and that it makes progress. If no progress is reported for
 * WatchdogSec=, systemd restarts the service; so only progress itself may lead to reportProgress(), never a timer alone.
 */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  /** Undefined if systemd does not watch for progress. */
  #timeoutMs: number | undefined;
  #reportedAt = -Infinity;
  #status = '';

  constructor(options: ServiceManagerOptions) {
    this.#options = options;
    const microseconds = Number(options.environment['WATCHDOG_USEC']);
    this.#timeoutMs = microseconds > 0 ? microseconds / 1000 : undefined;
  }

  /** For work before the service is ready, such as a migration. */
  get notify(): Notify {
    return this.#options.notify;
  }

  /**
   * Reports that the service has started.
   *
   * @param maxPauseMs the longest time that it chooses to let pass between two reports of progress, such as the longest interval
   */
  reportReady(status: string, maxPauseMs = 0): void {
    this.#options.notify({ ready: true });
    this.reportStatus(status);
    const minTimeoutMs = PAUSES_IN_TIMEOUT * maxPauseMs;
    if (this.#timeoutMs === undefined || minTimeoutMs <= this.#timeoutMs) return;
    this.#timeoutMs = minTimeoutMs;
    this.#options.notify({ watchdogTimeoutMs: minTimeoutMs });
  }

  /** Reports that the service is about to end. */
  reportStopping(): void {
    this.#options.notify({ stopping: true, status: 'stopping' });
  }

  /** Reports a line for `systemctl status` if it has changed. */
  reportStatus(line: string): void {
    if (line === this.#status) return;
    this.#status = line;
    this.#options.notify({ status: line });
  }

  /** Reports that the service made progress, unless that was reported a moment ago. */
  reportProgress(): void {
    const now = this.#options.clock.monotonic();
    if (this.#timeoutMs === undefined || now - this.#reportedAt < this.#timeoutMs / MAX_REPORTS_IN_TIMEOUT) return;
    this.#reportedAt = now;
    this.#options.notify({ watchdog: true });
  }

  /** Reports progress for a service that may pause for longer than the timeout, until `stop`, whenever `isLive` is true. */
  async reportProgressWhile(isLive: () => boolean, stop: AbortSignal): Promise<void> {
    if (this.#timeoutMs === undefined) return;
    const intervalMs = (): number => this.#timeoutMs! / MAX_REPORTS_IN_TIMEOUT;
    for await (const _ of ticks(this.#options.clock, { intervalMs, stop }))
      if (isLive()) this.#options.notify({ watchdog: true });
  }
}
