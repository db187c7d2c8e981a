import type { Clock } from '@thugshells/shared/clock.ts';
import type { Logger } from '@thugshells/shared/logging/logger.ts';
import type { Labels } from '@thugshells/shared/metrics/sample.ts';
import { STALE_MARKER } from '@thugshells/shared/metrics/sample-value.ts';
import type { RecurringWork } from '@thugshells/shared/recurring-work.ts';
import type { UnhealthyComponent } from '@thugshells/shared/state/unhealthy-components.ts';

import type { ReceiverClock } from '../clock/receiver-clock.ts';
import type { ReceiverState } from '../delivery/receiver-state.ts';
import { encodeSamples, type UnstoredSample } from '../encoding/encode-samples.ts';
import type { PendingRowsVersion } from '../queue/pending-rows-version.ts';
import type { RetryingTransport } from '../transport/retrying-transport.ts';
import type { ReceiverClient } from '../transport/transport.ts';
import { listUnhealthy } from './component-health.ts';
import type { DeviceStatus } from './device-status.ts';
import { toHealthSamples } from './health-samples.ts';

export interface HealthSenderOptions {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly deviceId: string;
  readonly uploadIntervalMs: number;
  readonly readStatus: () => DeviceStatus;
  /** Reads for how long the collector has stored nothing, in milliseconds. */
  readonly readSilenceMs: () => number;
  /** Whether another program has the database locked: then the collector is well, and stores later what it collects now. */
  readonly isLocked: () => boolean;
  /** Reads the labels with which the collector stores the device's health. */
  readonly readLabels: () => Labels;
  readonly client: Pick<ReceiverClient, 'sendsOldestFirst'>;
  readonly transport: Pick<RetryingTransport, 'format' | 'pause' | 'sendOnce'>;
  readonly receiver: Pick<ReceiverState, 'condition'>;
  readonly receiverClock: Pick<ReceiverClock, 'stampNow'>;
  /** Called with the bytes of each request. */
  readonly onSent: (bytes: number) => void;
}

/** A collector that is restarted, or that collects each second and is late, is back before anybody would look. */
const MIN_SILENCE_MS = 30_000;
/** How long the collector may take to store something after the start of this process. */
const FIRST_WAIT_MS = 60_000;
/** How often it is looked whether the collector stores anything. */
const LOOK_INTERVAL_MS = 10_000;
/**
 * Of series that are sent to receivers that keep a series in the order of its times: what the collector has stored before may
 * still be pending, and a collector that was blocked stores what it has in memory. Both would be refused after a newer sample.
 */
const SEPARATE: Labels = { reported_by: 'uploader' };

/**
 * Sends the device's health to the receiver while the collector has stored nothing for half a minute.
 *
 *   silent      the collector stores the health, and it is uploaded as all samples are
 *                 the collector's component is an error, and no lock is the cause   → reporting
 *   reporting   a request of its own in each upload interval, beside the queue
 *                 the component recovers                        → silent, after one last request, which ends alerts:
 *                                                                   with the health of then, or the end of series of its own
 *
 * Nothing of it is stored: ids have one writer, the collector, and the books count what is in the database. So a request that
 * fails is not retried and does not change the state of the receiver, but begins the backoff of all. None is sent while either
 * speaks against it. At a VictoriaMetrics the samples belong to the series that the collector stores, which takes them in any order.
 */
export class HealthSender {
  readonly #options: HealthSenderOptions;
  /** The samples of the last request; none while silent. */
  #reported: readonly UnstoredSample[] = [];
  /** The components of the last request that were not ok. */
  #unhealthy: readonly UnhealthyComponent[] = [];
  #hasSeenCollector = false;
  /** By the monotonic clock. */
  #sentAt = -Infinity;

  constructor(options: HealthSenderOptions) {
    this.#options = options;
  }

  async run(recurring: RecurringWork, stop: AbortSignal): Promise<void> {
    const intervalMs = this.#lookIntervalMs;
    const task = { message: 'cannot send health', work: () => this.report(stop) };
    await recurring.run(task, { intervalMs, firstInMs: intervalMs, stop });
  }

  get #lookIntervalMs(): number {
    return Math.min(LOOK_INTERVAL_MS, this.#options.uploadIntervalMs);
  }

  /** Sends the health if that is due. */
  async report(stop: AbortSignal): Promise<void> {
    const { clock, logger, uploadIntervalMs, readStatus, readSilenceMs, isLocked } = this.#options;
    const isSilent = readSilenceMs() >= MIN_SILENCE_MS;
    this.#hasSeenCollector ||= !isSilent;
    const isReporting = this.#reported.length > 0;
    if (!isSilent && !isReporting) return;
    const status = readStatus();
    const isFailing = isSilent && status.components['collector']?.status === 'error' && !isLocked();
    // Both programs start at the same time, and an uploader may be started alone to send what is pending.
    const isCollectorDown = isFailing && (this.#hasSeenCollector || status.uptime_seconds * 1000 >= FIRST_WAIT_MS);
    const at = clock.monotonic();
    // A look may come a little early.
    const nextAt = this.#sentAt + uploadIntervalMs - this.#lookIntervalMs / 2;
    const isDue = isCollectorDown ? at >= nextAt : isReporting;
    if (!isDue || !this.#maySend()) return;
    const samples = isCollectorDown ? this.#toSamples(status) : this.#toLastSamples(status);
    if (!(await this.#send(samples, stop))) return;
    if (isCollectorDown !== isReporting)
      logger.info(isCollectorDown ? 'sending health beside the collector' : 'health left to the collector');
    this.#reported = isCollectorDown ? samples : [];
    this.#unhealthy = isCollectorDown ? listUnhealthy(status.components) : [];
    this.#sentAt = isCollectorDown ? at : -Infinity;
  }

  #maySend(): boolean {
    const { clock, transport, receiver } = this.#options;
    const isRefusing = receiver.condition === 'away' || receiver.condition === 'held';
    return !isRefusing && transport.pause.backoffUntil <= clock.monotonic();
  }

  #toSamples(status: DeviceStatus): UnstoredSample[] {
    const { client, readLabels } = this.#options;
    const own = client.sendsOldestFirst ? { ...readLabels(), ...SEPARATE } : readLabels();
    return toHealthSamples({ status, reported: this.#unhealthy, own });
  }

  /** Nobody goes on with series of its own: without an end they would stay as they are for five minutes. */
  #toLastSamples(status: DeviceStatus): UnstoredSample[] {
    if (!this.#options.client.sendsOldestFirst) return this.#toSamples(status);
    return this.#reported.map((sample) => ({ ...sample, value: STALE_MARKER }));
  }

  /** Returns whether the receiver accepted them. */
  async #send(samples: readonly UnstoredSample[], stop: AbortSignal): Promise<boolean> {
    const { transport, deviceId, receiverClock, logger, onSent } = this.#options;
    const timestampMs = receiverClock.stampNow();
    if (timestampMs === undefined) return false;
    const { format } = transport;
    const body = encodeSamples(format, { samples, deviceId, timestampMs });
    const rows = { ids: new Float64Array(), series: [], ranges: [], pendingRowsVersion: '' as PendingRowsVersion };
    const chunk = { body, format, count: samples.length, ...rows };
    const result = await transport.sendOnce(chunk, stop).catch((error: unknown) => {
      if (!stop.aborted) throw error;
    });
    if (result === undefined) return false;
    const { outcome, bytesSent } = result;
    onSent(bytesSent);
    logger.debug('health sent', { outcome: outcome.kind, ...('reason' in outcome ? { error: outcome.reason } : {}) });
    return outcome.kind === 'delivered';
  }
}
