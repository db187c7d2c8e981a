import type { Clock } from '../clock.ts';
import type { Environment } from '../config/load-config.ts';
import type { Notify } from './systemd.ts';

export interface ServiceManagerOptions {
  readonly notify: Notify;
  /** The process's; systemd sets WATCHDOG_USEC where the unit has WatchdogSec= (sd_watchdog_enabled(3)). */
  readonly environment: Environment;
  readonly clock: Pick<Clock, 'monotonic' | 'sleep'>;
}

/** Progress is told at most so often within a timeout: with scrapes every second each would be a datagram. */
const BEATS_IN_TIMEOUT = 10;
/** How many chosen pauses fit into a timeout: a scrape may be late, and one may fail. */
const PAUSES_IN_TIMEOUT = 3;

/**
 * What a service says to systemd while it runs: that it is ready, how it fares, and that it makes progress. Where it
 * says nothing of progress for WatchdogSec=, systemd restarts it; so only progress itself may lead to reportProgress(),
 * never a timer alone.
 */
export class ServiceManager {
  readonly #options: ServiceManagerOptions;
  /** Undefined where nobody waits for progress. */
  #timeoutMs: number | undefined;
  #toldAt = -Infinity;
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
   * The service has started.
   *
   * @param longestPauseMs the longest that it chooses to let pass between two signs of progress, such as the longest interval
   */
  reportReady(status: string, longestPauseMs = 0): void {
    this.#options.notify({ ready: true });
    this.reportStatus(status);
    const leastMs = PAUSES_IN_TIMEOUT * longestPauseMs;
    if (this.#timeoutMs === undefined || leastMs <= this.#timeoutMs) return;
    this.#timeoutMs = leastMs;
    this.#options.notify({ watchdogTimeoutMs: leastMs });
  }

  /** The service is about to end. */
  reportStopping(): void {
    this.#options.notify({ stopping: true, status: 'stopping' });
  }

  /** One line for `systemctl status`; told where it has changed. */
  reportStatus(line: string): void {
    if (line === this.#status) return;
    this.#status = line;
    this.#options.notify({ status: line });
  }

  /** The service came further. */
  reportProgress(): void {
    const now = this.#options.clock.monotonic();
    if (this.#timeoutMs === undefined || now - this.#toldAt < this.#timeoutMs / BEATS_IN_TIMEOUT) return;
    this.#toldAt = now;
    this.#options.notify({ watchdog: true });
  }

  /** For a service that waits longer than the timeout by its own choice: asks again and again until `stop` whether it still is as it should be. */
  async reportProgressWhile(isLive: () => boolean, stop: AbortSignal): Promise<void> {
    while (this.#timeoutMs !== undefined && !stop.aborted) {
      if (isLive()) this.reportProgress();
      await this.#options.clock.sleep(this.#timeoutMs / BEATS_IN_TIMEOUT, stop);
    }
  }
}
